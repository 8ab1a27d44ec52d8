//! The messages of `sock_diag(7)`, as `linux/inet_diag.h` and `linux/tcp.h` lay them out.

/// What a dump says of a TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpSocket {
    /// Its number, which no other socket of this boot has.
    pub cookie: u64,
    /// Whose it is; root's when nobody has it open any more.
    pub uid: u32,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent, and acknowledged by the peer.
    pub sent: u64,
}

/// An element of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// A socket.
    Socket(TcpSocket),
    /// Something that does not concern us.
    Other,
    /// The dump is complete.
    Done,
    /// The kernel refuses, with this error number.
    Refused(i32),
}

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const TCP: u8 = 6;
/// Length of `struct inet_diag_msg`, after which attributes follow.
const DIAGNOSIS: usize = 72;
/// The attribute that holds `struct tcp_info`, and the bit that asks for it.
const INFO: u16 = 2;
const WITH_INFO: u8 = 1 << (INFO - 1);
/// Established, and all the ways of closing that still carry data. Listening sockets and `TIME_WAIT` count nothing.
const STATES: u32 = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// The request for a dump of all TCP sockets of an address family.
pub fn request(family: u8) -> [u8; 72] {
    let mut request = [0; 72];
    let fields = 72_u32
        .to_ne_bytes()
        .into_iter()
        .chain(SOCK_DIAG_BY_FAMILY.to_ne_bytes())
        .chain(DUMP.to_ne_bytes())
        // Sequence number and sender, of which neither matters on a socket with one request at a time.
        .chain([0; 8])
        .chain([family, TCP, WITH_INFO, 0])
        .chain(STATES.to_ne_bytes());
    for (byte, value) in request.iter_mut().zip(fields) {
        *byte = value;
    }
    request
}

/// The elements of what one `recv` brought.
pub fn elements(mut received: &[u8]) -> impl Iterator<Item = Element> {
    std::iter::from_fn(move || {
        let length = usize::try_from(word(received, 0)?).ok()?;
        let kind = short(received, 4)?;
        let content = received.get(HEADER..length)?;
        received = received.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(match kind {
            NLMSG_DONE => Element::Done,
            NLMSG_ERROR => Element::Refused(word(content, 0).map_or(0, |error| error.cast_signed().wrapping_neg())),
            SOCK_DIAG_BY_FAMILY => tcp_socket(content).map_or(Element::Other, Element::Socket),
            _ => Element::Other,
        })
    })
}

fn tcp_socket(content: &[u8]) -> Option<TcpSocket> {
    let (cookie, uid) = (long(content, 44)?, word(content, 64)?);
    let mut attributes = content.get(DIAGNOSIS..)?;
    loop {
        let length = usize::from(short(attributes, 0)?);
        if short(attributes, 2)? == INFO {
            let info = attributes.get(4..length)?;
            return Some(TcpSocket { cookie, uid, sent: long(info, 120)?, received: long(info, 128)? });
        }
        // An attribute is at least its own header long; a shorter one would be read for ever.
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + content.len()).unwrap();
        let mut message = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], content].concat();
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn socket(cookie: u64, uid: u32, received: u64, sent: u64) -> Vec<u8> {
        let mut content = vec![0; DIAGNOSIS];
        content[44..52].copy_from_slice(&cookie.to_ne_bytes());
        content[64..68].copy_from_slice(&uid.to_ne_bytes());
        // Another attribute of one byte first.
        content.extend([5, 0, 8, 0, 1, 0, 0, 0]);
        let mut info = vec![0; 232];
        info[120..128].copy_from_slice(&sent.to_ne_bytes());
        info[128..136].copy_from_slice(&received.to_ne_bytes());
        content.extend(236_u16.to_ne_bytes());
        content.extend(INFO.to_ne_bytes());
        content.extend(info);
        message(SOCK_DIAG_BY_FAMILY, &content)
    }

    #[test]
    fn sockets_and_the_end_are_read() {
        let dump = [socket(7, 200_001, 10, 20), message(NLMSG_DONE, &[0; 4])].concat();
        let found: Vec<_> = elements(&dump).collect();
        let socket = TcpSocket { cookie: 7, uid: 200_001, received: 10, sent: 20 };
        assert_eq!(found, [Element::Socket(socket), Element::Done]);
        assert_eq!(elements(&message(NLMSG_ERROR, &(-2_i32).to_ne_bytes())).collect::<Vec<_>>(), [Element::Refused(2)]);
        assert_eq!(elements(&message(SOCK_DIAG_BY_FAMILY, &[0; 80])).collect::<Vec<_>>(), [Element::Other]);
    }

    proptest! {
        #[test]
        fn no_message_is_too_strange(at in 0..330_usize, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            // Each element takes bytes, so that there is an end.
            prop_assert!(elements(&bytes).count() <= 10);
            let mut dump = socket(7, 1, 2, 3);
            let end = (at + bytes.len()).min(dump.len());
            dump.splice(at.min(end)..end, bytes);
            prop_assert!(elements(&dump).count() <= 100);
        }
    }
}
