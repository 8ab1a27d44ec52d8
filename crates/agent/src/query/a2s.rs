//! Valve's `A2S_INFO`: one datagram each way, after the server has seen that the asker's address is real.
//!
//! <https://developer.valvesoftware.com/wiki/Server_queries>. Replies that are split over several datagrams are not
//! put together; this one fits into one.

use super::{
    Players,
    ask::Step,
    reader::{Reader, Unreadable},
};

const QUESTION: &[u8] = b"\xff\xff\xff\xffTSource Engine Query\0";

/// The question; with the server's challenge once it has sent one.
pub fn question(challenge: Option<&[u8]>) -> Vec<u8> {
    [QUESTION, challenge.unwrap_or_default()].concat()
}

/// What a datagram says.
pub fn read(datagram: &[u8]) -> Result<Step, Unreadable> {
    let mut rest = Reader(datagram);
    rest.expect(&[0xff; 4])?;
    match rest.u8()? {
        b'A' => Ok(Step::Send(question(Some(rest.bytes(4)?)))),
        b'I' => source(rest).map(Step::Done),
        b'm' => gold_source(rest).map(Step::Done),
        _ => Err(Unreadable),
    }
}

fn source(mut rest: Reader<'_>) -> Result<Players, Unreadable> {
    let _protocol = rest.u8()?;
    for _name_map_folder_game in 0..4 {
        rest.text()?;
    }
    let _application = rest.bytes(2)?;
    let (all, max, bots) = (rest.u8()?, rest.u8()?, rest.u8()?);
    Ok(Players { online: u32::from(all.saturating_sub(bots)), max: Some(u32::from(max)) })
}

/// The form of servers from before 2008; does not tell bots from people where it is read here.
fn gold_source(mut rest: Reader<'_>) -> Result<Players, Unreadable> {
    for _address_name_map_folder_game in 0..5 {
        rest.text()?;
    }
    Ok(Players { online: u32::from(rest.u8()?), max: Some(u32::from(rest.u8()?)) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_replies_are_read() {
        // The example of the protocol's documentation (Counter-Strike: Source), cut after what is read.
        let reply =
            b"\xff\xff\xff\xffI\x02game2xs.com Counter-Strike Source #1\0de_dust\0cstrike\0Counter-Strike: Source\0\
            \xf0\x00\x05\x10\x04dl\0\x001.0.0.22\0";
        assert_eq!(read(reply), Ok(Step::Done(Players { online: 1, max: Some(16) })));
        let old = b"\xff\xff\xff\xffm77.111.194.110:27015\0FR - VeryGames.net\0de_dust2\0cstrike\0Counter-Strike\0\x0c\x12/dl";
        assert_eq!(read(old), Ok(Step::Done(Players { online: 12, max: Some(18) })));
    }

    #[test]
    fn a_challenge_is_sent_back() {
        let Ok(Step::Send(again)) = read(b"\xff\xff\xff\xffA\x0a\x08\x5e\xea") else { panic!("another question") };
        assert!(again.ends_with(b"Source Engine Query\0\x0a\x08\x5e\xea"));
    }

    proptest! {
        #[test]
        fn no_datagram_is_too_strange(mut datagram in prop::collection::vec(any::<u8>(), 0..200), kind: u8) {
            let _ = read(&datagram);
            datagram.splice(0..0, [255, 255, 255, 255, kind]);
            let _ = read(&datagram);
        }
    }
}
