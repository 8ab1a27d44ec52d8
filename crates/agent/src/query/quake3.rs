//! Quake 3's `getstatus`: a datagram of settings and a line for every player.

use super::{
    Players,
    ask::Step,
    reader::{Reader, Unreadable},
};

/// The question.
pub const QUESTION: &[u8] = b"\xff\xff\xff\xffgetstatus\n";

/// What a datagram says. Bots are not counted; their ping is 0, as nobody's over a network is.
pub fn read(datagram: &[u8]) -> Result<Step, Unreadable> {
    let mut rest = Reader(datagram);
    rest.expect(b"\xff\xff\xff\xffstatusResponse\n")?;
    let mut lines = rest.0.split(|byte| *byte == b'\n');
    let settings = lines.next().ok_or(Unreadable)?;
    let max = setting(settings, b"sv_maxclients").and_then(number);
    let people = lines.filter_map(ping).filter(|ping| *ping != 0).count();
    Ok(Step::Done(Players { online: u32::try_from(people).map_err(|_| Unreadable)?, max }))
}

/// The value of a key in `\key\value\key\value`.
fn setting<'a>(settings: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut words = settings.strip_prefix(b"\\")?.split(|byte| *byte == b'\\');
    while let Some(found) = words.next() {
        let value = words.next()?;
        if found.eq_ignore_ascii_case(key) {
            return Some(value);
        }
    }
    None
}

/// The ping of a player's line: `score ping "name"`.
fn ping(line: &[u8]) -> Option<u32> {
    let mut words = line.split(|byte| *byte == b' ');
    let _score = words.next()?;
    let ping = number(words.next()?)?;
    words.next()?.starts_with(b"\"").then_some(ping)
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From OpenArena 0.8.8, with its settings cut.
    const REPLY: &[u8] = b"\xff\xff\xff\xffstatusResponse\n\\com_protocol\\71\\sv_maxclients\\12\\version\\ioq3 1.36\
        \\mapname\\oa_dm1\\sv_privateClients\\0\\sv_hostname\\noname\n";

    #[test]
    fn people_are_counted_and_bots_are_not() {
        assert_eq!(read(REPLY), Ok(Step::Done(Players { online: 0, max: Some(12) })));
        let busy = [REPLY, b"3 0 \"Sarge\"\n17 48 \"a \\ player\"\n-1 999 \"sv_maxclients\"\n"].concat();
        assert_eq!(read(&busy), Ok(Step::Done(Players { online: 2, max: Some(12) })));
    }

    #[test]
    fn another_reply_is_refused() {
        assert_eq!(read(b"\xff\xff\xff\xffdisconnect"), Err(Unreadable));
        let bare = b"\xff\xff\xff\xffstatusResponse\n\\odd\n";
        assert_eq!(read(bare), Ok(Step::Done(Players { online: 0, max: None })));
    }

    proptest! {
        #[test]
        fn no_datagram_is_too_strange(rest in prop::collection::vec(any::<u8>(), 0..200), text in "[\\\\a-z0-9 \"\n-]{0,80}") {
            let _ = read(&rest);
            let _ = read(&[REPLY, &rest[..]].concat());
            let _ = read(&[b"\xff\xff\xff\xffstatusResponse\n", text.as_bytes()].concat());
        }
    }
}
