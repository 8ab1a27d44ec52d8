//! Whether a game has bound its port, read from the kernel's socket tables.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use nodepanel_types::wire::{Endpoint, Protocol};

/// Whether one of `pids` listens on `endpoint` (or on its port at every address). Processes whose descriptors may
/// not be looked at are given the benefit of the doubt.
pub(crate) fn is_listening(endpoint: &Endpoint, pids: &BTreeSet<u32>) -> bool {
    let Some(&any) = pids.first() else { return false };
    let table = |name: &str| fs::read_to_string(format!("/proc/{any}/net/{name}")).unwrap_or_default();
    let bound = |names: [&str; 2], state: &str| -> BTreeSet<u64> {
        names.iter().flat_map(|name| sockets_at(&table(name), endpoint, state)).collect()
    };
    let owned = |inodes: BTreeSet<u64>| !inodes.is_empty() && is_owned(&inodes, pids);
    // 0A is LISTEN; a bound UDP socket is in state 07.
    match endpoint.protocol {
        Protocol::Tcp => owned(bound(["tcp", "tcp6"], "0A")),
        Protocol::Udp => owned(bound(["udp", "udp6"], "07")),
        Protocol::Both => owned(bound(["tcp", "tcp6"], "0A")) && owned(bound(["udp", "udp6"], "07")),
    }
}

/// The inodes of the sockets of one table that are bound to `endpoint` and in `state`.
fn sockets_at(table: &str, endpoint: &Endpoint, state: &str) -> Vec<u64> {
    let sockets = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let found_state = fields.nth(1)?;
        let inode = fields.nth(5)?.parse().ok()?;
        let same_port = u16::from_str_radix(port, 16).ok()? == endpoint.port;
        let address = parse_address(address)?;
        let same_address = address == endpoint.address || address.is_unspecified();
        (found_state == state && same_port && same_address).then_some(inode)
    });
    sockets.collect()
}

/// An address of the table: 32-bit words in the machine's byte order, each printed as a hexadecimal number.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = text.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let mut octets = [0; 16];
    for (index, slot) in octets.chunks_exact_mut(4).enumerate() {
        slot.copy_from_slice(&word(index)?);
    }
    let address = Ipv6Addr::from(octets);
    Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
}

fn is_owned(inodes: &BTreeSet<u64>, pids: &BTreeSet<u32>) -> bool {
    pids.iter().any(|pid| {
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return fs::metadata(format!("/proc/{pid}")).is_ok();
        };
        entries.filter_map(Result::ok).filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| {
            let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            inode.is_some_and(|inode: u64| inodes.contains(&inode))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn endpoint(address: &str, port: u16, protocol: Protocol) -> Endpoint {
        Endpoint { name: "game".to_owned(), address: address.parse().unwrap(), port, protocol }
    }

    #[test]
    fn our_own_sockets_are_found_and_others_are_not() {
        let own = BTreeSet::from([std::process::id()]);
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        assert!(is_listening(&endpoint("127.0.0.1", port, Protocol::Tcp), &own));
        assert!(!is_listening(&endpoint("127.0.0.2", port, Protocol::Tcp), &own));
        assert!(!is_listening(&endpoint("127.0.0.1", port, Protocol::Both), &own));
        let udp = UdpSocket::bind(("0.0.0.0", port)).unwrap();
        assert!(is_listening(&endpoint("127.0.0.1", port, Protocol::Both), &own));
        drop((tcp, udp));
        assert!(!is_listening(&endpoint("127.0.0.1", port, Protocol::Tcp), &own));
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        let v4 = u32::from_ne_bytes([127, 0, 0, 1]);
        assert_eq!(parse_address(&format!("{v4:08X}")), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(parse_address(&"0".repeat(32)), Some("::".parse().unwrap()));
        assert_eq!(parse_address("xyz"), None);
    }
}
