//! Binding a listening socket, with an error that says who has the address.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use rustix::net::listen;

use super::holder::holder_of;
use crate::plan::SocketSpec;

/// Connections that may wait while a worker is replaced. The kernel lowers it to `net.core.somaxconn` (4096 since
/// Linux 5.4).
const BACKLOG: i32 = 4096;

/// Why a socket cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has the address.
    #[error(
        "{address} (the {name} address) is already in use by {}: end that process or choose another address",
        holder.as_deref().unwrap_or("a process that could not be found; `ss -ltnp` run by root shows it")
    )]
    InUse {
        /// The socket's name in the plan.
        name: String,
        /// The address.
        address: SocketAddr,
        /// The process, in words.
        holder: Option<String>,
    },
    /// Any other reason.
    #[error("cannot listen on {address} (the {name} address)")]
    Io {
        /// The socket's name in the plan.
        name: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens as the plan says.
pub fn bind(spec: &SocketSpec) -> Result<TcpListener, BindError> {
    let failed = |source| BindError::Io { name: spec.name.clone(), address: spec.address, source };
    let socket = match TcpListener::bind(spec.address) {
        Ok(socket) => socket,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = holder_of(spec.address);
            return Err(BindError::InUse { name: spec.name.clone(), address: spec.address, holder });
        }
        Err(error) => return Err(failed(error)),
    };
    // std listens with a backlog of 128; listening again only changes that.
    listen(&socket, BACKLOG).map_err(|errno| failed(errno.into()))?;
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(socket)
}

/// Whether a socket that was handed over is what the plan asks for.
pub fn matches(socket: &TcpListener, spec: &SocketSpec) -> bool {
    socket.local_addr().is_ok_and(|address| {
        address.ip() == spec.address.ip() && (spec.address.port() == 0 || address.port() == spec.address.port())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_use_names_its_holder() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let spec = SocketSpec { name: "http".to_owned(), address };
        let error = bind(&spec).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{address} (the http address) is already in use by ")), "{error}");
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
        assert!(matches(&taken, &spec));
        assert!(matches(&taken, &SocketSpec { address: "127.0.0.1:0".parse().unwrap(), ..spec.clone() }));
        assert!(!matches(&taken, &SocketSpec { address: "0.0.0.0:0".parse().unwrap(), ..spec }));
    }
}
