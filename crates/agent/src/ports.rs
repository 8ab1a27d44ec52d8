//! Which ports are taken, and by whom: found out by trying to bind them.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::unix::fs::MetadataExt as _,
};

use nodepanel_types::wire::{Endpoint, PortUse, Protocol};

/// Those of `endpoints` that cannot be bound. `servers` are the users and names of the servers of this node. Blocks.
pub fn taken(endpoints: Vec<Endpoint>, servers: &[(u32, String)]) -> Vec<PortUse> {
    endpoints.into_iter().filter_map(|endpoint| check(endpoint, servers)).collect()
}

fn check(endpoint: Endpoint, servers: &[(u32, String)]) -> Option<PortUse> {
    let address = SocketAddr::new(endpoint.address, endpoint.port);
    let tcp = || TcpListener::bind(address).map(drop);
    let udp = || UdpSocket::bind(address).map(drop);
    let (protocol, error) = match endpoint.protocol {
        Protocol::Tcp => ("tcp", tcp().err()?),
        Protocol::Udp => ("udp", udp().err()?),
        Protocol::Both => match (tcp(), udp()) {
            (Err(error), _) => ("tcp", error),
            (Ok(()), Err(error)) => ("udp", error),
            (Ok(()), Ok(())) => return None,
        },
    };
    let reason = explain(&error, protocol, address, servers);
    Some(PortUse { endpoint, reason })
}

fn explain(error: &io::Error, protocol: &str, address: SocketAddr, servers: &[(u32, String)]) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => match owner(protocol, address, servers) {
            Some(owner) => format!("Port {} ({protocol}) is in use by {owner}.", address.port()),
            None => format!("Port {} ({protocol}) is in use by another program.", address.port()),
        },
        ErrorKind::AddrNotAvailable => format!("This machine has no address {}.", address.ip()),
        ErrorKind::PermissionDenied => {
            format!("Port {} needs rights that the agent does not have; use one above 1023.", address.port())
        }
        _ => format!("{address} ({protocol}) cannot be bound: {error}."),
    }
}

/// Who has the port, in words.
fn owner(protocol: &str, wanted: SocketAddr, servers: &[(u32, String)]) -> Option<String> {
    let (inode, uid) = [protocol.to_owned(), format!("{protocol}6")]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok())
        .find_map(|table| table.lines().skip(1).find_map(|line| listener(line, protocol == "tcp", wanted)))?;
    if let Some((_, name)) = servers.iter().find(|(user, _)| *user == uid) {
        return Some(format!("the game server \u{201c}{name}\u{201d}"));
    }
    let (pid, program) = process_with(inode)?;
    Some(format!("the program {program} (process {pid})"))
}

/// A line of `/proc/net/tcp` and the like: the socket's inode and user, if it holds the wanted port.
fn listener(line: &str, tcp: bool, wanted: SocketAddr) -> Option<(u64, u32)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    if u16::from_str_radix(port, 16).ok()? != wanted.port() || (tcp && *fields.get(3)? != LISTEN) {
        return None;
    }
    let everywhere = address.bytes().all(|digit| digit == b'0');
    if !everywhere && !wanted.ip().is_unspecified() && parse(address) != Some(wanted.ip()) {
        return None;
    }
    Some((fields.get(9)?.parse().ok()?, fields.get(7)?.parse().ok()?))
}

/// An address of four or sixteen bytes as the kernel prints it: words of the machine's byte order.
fn parse(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

fn process_with(inode: u64) -> Option<(u32, String)> {
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            // Follows the link to the socket itself, whose inode number is the one of the table.
            if fs::metadata(descriptor.path()).is_ok_and(|socket| socket.ino() == inode) {
                let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                return Some((pid, name.trim().to_owned()));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(port: u16, protocol: Protocol) -> Endpoint {
        Endpoint { name: "game".to_owned(), address: [127, 0, 0, 1].into(), port, protocol }
    }

    #[test]
    fn a_taken_port_names_its_owner_and_a_free_one_is_not_listed() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let taken_now = taken(vec![endpoint(port, Protocol::Tcp)], &[]);
        assert_eq!(taken_now.len(), 1);
        let pid = format!("process {}", std::process::id());
        assert!(taken_now[0].reason.contains(&pid), "{}", taken_now[0].reason);
        let ours = [(rustix::process::geteuid().as_raw(), "Bob's".to_owned())];
        let by_name = taken(vec![endpoint(port, Protocol::Both)], &ours);
        assert!(by_name[0].reason.contains("Bob's"), "{}", by_name[0].reason);
        drop(held);
        assert_eq!(taken(vec![endpoint(port, Protocol::Tcp)], &[]), []);
    }

    #[test]
    fn an_address_of_another_machine_is_said_to_be_one() {
        let foreign = Endpoint { address: [203, 0, 113, 7].into(), ..endpoint(4_000, Protocol::Udp) };
        assert!(taken(vec![foreign], &[])[0].reason.contains("no address"));
    }
}
