//! `OpenTTD`'s game information, which every server of version 12 and newer tells over TCP before anybody joins.
//!
//! The layout is that of `NetworkGameInfo` in `OpenTTD`'s `src/network/core/game_info.h`; versions 6 and 7 of it are
//! read here. Older servers tell over UDP and are not asked.

use super::{
    Players,
    reader::{Reader, Unreadable},
};

/// `PACKET_CLIENT_GAME_INFO`: its length, little-endian, and its type.
pub const QUESTION: &[u8] = &[3, 0, 7];
/// `PACKET_SERVER_GAME_INFO`.
const GAME_INFO: u8 = 6;
/// A server with all the extensions that it may have tells of each in at most this much.
pub const LONGEST: usize = 32_767;

/// The reply, once all of it is there; `None` until then.
pub fn read(received: &[u8]) -> Result<Option<Players>, Unreadable> {
    let Some(head) = received.first_chunk::<2>() else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes(*head));
    if !(3..=LONGEST).contains(&length) {
        return Err(Unreadable);
    }
    let Some(packet) = received.get(2..length) else { return Ok(None) };
    let mut rest = Reader(packet);
    if rest.u8()? != GAME_INFO {
        return Err(Unreadable);
    }
    game_info(rest).map(Some)
}

fn game_info(mut rest: Reader<'_>) -> Result<Players, Unreadable> {
    let version = rest.u8()?;
    if !(6..=7).contains(&version) {
        return Err(Unreadable);
    }
    if version >= 7 {
        let _ticks_playing = rest.bytes(8)?;
    }
    let extensions = rest.u8()?;
    let _script_version = rest.bytes(4)?;
    let _script_name = rest.text()?;
    for _extension in 0..rest.u8()? {
        match extensions {
            // Its id and checksum; the same and its name; its place in a list that was told before.
            0 => drop(rest.bytes(20)?),
            1 => {
                rest.bytes(20)?;
                rest.text()?;
            }
            2 => drop(rest.bytes(4)?),
            _ => return Err(Unreadable),
        }
    }
    let _dates = rest.bytes(8)?;
    let _companies = rest.bytes(3)?;
    let _name = rest.text()?;
    let _revision = rest.text()?;
    let _password = rest.u8()?;
    let (max, online) = (rest.u8()?, rest.u8()?);
    Ok(Players { online: u32::from(online), max: Some(u32::from(max)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From `OpenTTD` 13.0 as Debian 12 has it.
    const REPLY: &[u8] = b"\x34\x00\x06\x06\x01\xff\xff\xff\xff\x00\x00\x24\xde\x0a\x00\x1f\xde\x0a\x00\x0f\x00\x19\
        Unnamed Server\x0013.0\x00\x00\x19\x00\x00\x00\x01\x00\x01\x00\x01";

    #[test]
    fn a_real_reply_is_read_once_it_is_whole() {
        assert_eq!(read(REPLY), Ok(Some(Players { online: 0, max: Some(25) })));
        for end in 0..REPLY.len() {
            assert_eq!(read(&REPLY[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn extensions_are_passed_over() {
        let mut reply = REPLY.to_vec();
        reply[10] = 2;
        let mut extension = [7; 25];
        extension[24] = 0;
        reply.splice(11..11, extension.into_iter().chain(extension));
        reply[0] = u8::try_from(reply.len()).unwrap();
        let players = reply.len() - 8;
        reply[players] = 3;
        assert_eq!(read(&reply), Ok(Some(Players { online: 3, max: Some(25) })));
    }

    #[test]
    fn a_refusal_is_not_read_as_information() {
        assert_eq!(read(&[3, 0, 0]), Err(Unreadable));
        assert_eq!(read(&[2, 0]), Err(Unreadable));
    }

    proptest! {
        #[test]
        fn no_reply_is_too_strange(at in 0..REPLY.len(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes);
            let mut reply = REPLY.to_vec();
            let end = (at + bytes.len()).min(reply.len());
            reply.splice(at..end, bytes);
            let _ = read(&reply);
        }
    }
}
