//! The socket over which the kernel tells of all other sockets.

use std::{io, time::Duration};

use rustix::{
    fd::OwnedFd,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use super::message::{Element, TcpSocket, elements, request};

/// The kernel answers from memory; it is never waited for longer than this.
const DEADLINE: Duration = Duration::from_millis(500);
/// More than the kernel puts into one message.
const BUFFER: usize = 64 * 1024;
/// Sockets of a machine beyond which it is not measured.
const AT_MOST: usize = 50_000;
const FAMILIES: [AddressFamily; 2] = [AddressFamily::INET, AddressFamily::INET6];

/// A way to ask for every TCP socket of the machine.
#[derive(Debug)]
pub struct SocketDiagnosis {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl SocketDiagnosis {
    /// Opens it; fails where the kernel was built without it.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(DEADLINE))?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// Puts every TCP socket with data in it into `sockets`. Blocks: some microseconds a socket. After an error, what
    /// is left of the answer is still in the socket, so that it has to be opened anew.
    pub fn dump(&mut self, sockets: &mut Vec<TcpSocket>) -> io::Result<()> {
        sockets.clear();
        for family in FAMILIES {
            let number = u8::try_from(family.as_raw()).map_err(io::Error::other)?;
            send(&self.socket, &request(number), SendFlags::empty())?;
            while !self.part(sockets)? {}
        }
        Ok(())
    }

    /// Reads a part of the answer; whether it was the last.
    fn part(&mut self, sockets: &mut Vec<TcpSocket>) -> io::Result<bool> {
        let (length, _) = recv(&self.socket, &mut self.buffer[..], RecvFlags::empty())?;
        let received = self.buffer.get(..length).unwrap_or_default();
        for element in elements(received) {
            match element {
                Element::Socket(_) if sockets.len() >= AT_MOST => {
                    return Err(io::Error::other(format!("there are more than {AT_MOST} connections")));
                }
                Element::Socket(socket) => sockets.push(socket),
                Element::Other => {}
                Element::Done => return Ok(true),
                Element::Refused(error) => return Err(io::Error::from_raw_os_error(error)),
            }
        }
        Ok(length == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        os::unix::fs::MetadataExt as _,
    };

    use super::*;

    #[test]
    fn a_connection_of_ours_is_found_with_its_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        here.write_all(&[1; 12_345]).unwrap();
        there.read_exact(&mut [0; 12_345]).unwrap();
        let uid = std::fs::metadata("/proc/self").unwrap().uid();
        let mut sockets = Vec::new();
        SocketDiagnosis::open().unwrap().dump(&mut sockets).unwrap();
        assert!(sockets.iter().any(|socket| socket.uid == uid && socket.received == 12_345), "{sockets:?}");
        let cookies: std::collections::HashSet<_> = sockets.iter().map(|socket| socket.cookie).collect();
        assert_eq!(cookies.len(), sockets.len());
    }
}
