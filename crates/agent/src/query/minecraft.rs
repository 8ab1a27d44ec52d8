//! Minecraft's status ping (Java edition), and the one from before version 1.7.
//!
//! <https://minecraft.wiki/w/Java_Edition_protocol/Server_List_Ping>

use std::net::SocketAddr;

use serde::Deserialize;

use super::{
    Players,
    reader::{Reader, Unreadable},
};

/// The longest reply: 32,767 characters of up to three bytes, and a few for the frame.
pub const LONGEST: usize = 100_000;
/// "We do not know your version": status is answered all the same.
const ANY_VERSION: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
const STATUS: u8 = 1;

/// A handshake for the status, and the question for it.
pub fn question(address: SocketAddr) -> Vec<u8> {
    let host = address.ip().to_string();
    let mut handshake = vec![0];
    handshake.extend(ANY_VERSION);
    // An address has at most 45 characters, so that every length here fits into the 7 bits of one byte.
    handshake.push(u8::try_from(host.len()).unwrap_or(0));
    handshake.extend(host.bytes());
    handshake.extend(address.port().to_be_bytes());
    handshake.push(STATUS);
    let mut question = vec![u8::try_from(handshake.len()).unwrap_or(0)];
    question.append(&mut handshake);
    question.extend([1, 0]);
    question
}

/// The question of old versions.
pub const OLD_QUESTION: &[u8] = &[0xfe, 0x01];

#[derive(Deserialize)]
struct Status {
    players: StatusPlayers,
}

#[derive(Deserialize)]
struct StatusPlayers {
    online: u32,
    max: Option<i64>,
}

/// The reply, once all of it is there; `None` until then.
pub fn read(received: &[u8]) -> Result<Option<Players>, Unreadable> {
    let mut rest = Reader(received);
    let Some(length) = number(&mut rest)? else { return Ok(None) };
    if !(1..=LONGEST).contains(&length) {
        return Err(Unreadable);
    }
    let Some(packet) = rest.0.get(..length) else { return Ok(None) };
    let mut rest = Reader(packet);
    if number(&mut rest)? != Some(0) {
        return Err(Unreadable);
    }
    let length = number(&mut rest)?.ok_or(Unreadable)?;
    let status: Status = serde_json::from_slice(rest.bytes(length)?).map_err(|_| Unreadable)?;
    let max = status.players.max.and_then(|max| u32::try_from(max).ok());
    Ok(Some(Players { online: status.players.online, max }))
}

/// A number of up to 32 bits, 7 in a byte; `None` when it goes on beyond what is there.
fn number(rest: &mut Reader<'_>) -> Result<Option<usize>, Unreadable> {
    let mut value = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let Ok(byte) = rest.u8() else { return Ok(None) };
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(value).map(Some).map_err(|_| Unreadable);
        }
    }
    Err(Unreadable)
}

/// The reply of old versions, once all of it is there: a "kick" whose reason is the status, in UTF-16.
pub fn read_old(received: &[u8]) -> Result<Option<Players>, Unreadable> {
    let mut rest = Reader(received);
    if received.first().is_some_and(|kind| *kind != 0xff) {
        return Err(Unreadable);
    }
    let Some([_, high, low]) = received.first_chunk() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low])) * 2;
    rest.bytes(3)?;
    let Some(reason) = rest.0.get(..length) else { return Ok(None) };
    let (units, _) = reason.as_chunks();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
    let reason = String::from_utf16_lossy(&units);
    // 1.4 to 1.6 put zeros between `§1`, protocol, version, message, players and places; before it was message,
    // players and places with `§` between them.
    let mut words = if reason.starts_with("§1\0") { reason.rsplit('\0') } else { reason.rsplit('§') };
    let mut word = || words.next().and_then(|word| word.parse::<u32>().ok());
    let (max, online) = (word(), word());
    Ok(Some(Players { online: online.ok_or(Unreadable)?, max }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From flying-squid 1.12.
    const REPLY: &[u8] =
        "\u{1}\0~{\"version\":{\"name\":\"1.16.5\",\"protocol\":754},\"players\":{\"max\":7,\"online\":0,\
        \"sample\":[]},\"description\":{\"text\":\"A \\\"test\\\" é\"}}"
            .as_bytes();

    fn reply() -> Vec<u8> {
        [&[0x80], REPLY].concat()
    }

    fn old(reason: &str) -> Vec<u8> {
        let units: Vec<u16> = reason.encode_utf16().collect();
        let length = u16::try_from(units.len()).unwrap();
        [vec![0xff], length.to_be_bytes().to_vec(), units.into_iter().flat_map(u16::to_be_bytes).collect()].concat()
    }

    #[test]
    fn a_real_reply_is_read_once_it_is_whole() {
        let reply = reply();
        assert_eq!(read(&reply), Ok(Some(Players { online: 0, max: Some(7) })));
        for end in 0..reply.len() {
            assert_eq!(read(&reply[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn the_question_is_a_handshake_and_a_request() {
        let question = question("127.0.0.1:25565".parse().unwrap());
        assert_eq!(question, b"\x13\0\xff\xff\xff\xff\x0f\x09127.0.0.1\x63\xdd\x01\x01\0");
        assert_eq!(usize::from(question[0]) + 3, question.len());
    }

    #[test]
    fn old_replies_are_read() {
        let new_form = old(&["§1", "51", "1.4.7", "A Minecraft § Server", "3", "20"].join("\0"));
        assert_eq!(read_old(&new_form), Ok(Some(Players { online: 3, max: Some(20) })));
        assert_eq!(read_old(&new_form[..20]), Ok(None));
        assert_eq!(read_old(&old("A Minecraft Server§3§20")), Ok(Some(Players { online: 3, max: Some(20) })));
        assert_eq!(read_old(&old("Protocol error")), Err(Unreadable));
    }

    #[test]
    fn lies_about_lengths_and_players_are_refused() {
        assert_eq!(read(&[0xff; 6]), Err(Unreadable));
        assert_eq!(read(&[0xff, 0xff, 0x7f]), Err(Unreadable));
        assert_eq!(read(&[0]), Err(Unreadable));
        assert_eq!(read(&[3, 0, 0x7f, b'{']), Err(Unreadable));
        assert_eq!(read(b"\x1b\0\x19{\"players\":{\"online\":-1}}"), Err(Unreadable));
        assert_eq!(read(b"\x04\0\x02{}"), Err(Unreadable));
    }

    proptest! {
        #[test]
        fn no_reply_is_too_strange(at in 0..120_usize, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes);
            let _ = read_old(&bytes);
            let _ = read_old(&[&[0xff], &bytes[..]].concat());
            let mut reply = reply();
            let end = (at + bytes.len()).min(reply.len());
            reply.splice(at..end, bytes);
            let _ = read(&reply);
        }
    }
}
