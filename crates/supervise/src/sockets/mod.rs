//! The listening sockets: taken over from a parent, bound by ourselves, and handed on.
//!
//! A socket that stays open while the process that accepts on it is replaced queues the connections in between;
//! nothing is refused as long as one process holds a copy.

mod bind;
mod holder;
mod inherited;

pub use bind::{BindError, bind, matches};
pub use inherited::{Inherited, PREDECESSOR, Predecessor};

use std::{collections::BTreeMap, io, net::TcpListener};

/// Listening sockets by name.
#[derive(Debug, Default)]
pub struct Sockets(BTreeMap<String, TcpListener>);

impl Sockets {
    /// Adds a socket; one that had the name before is closed.
    pub fn insert(&mut self, name: impl Into<String>, socket: TcpListener) {
        self.0.insert(name.into(), socket);
    }

    /// Gives a socket away.
    pub fn take(&mut self, name: &str) -> Option<TcpListener> {
        self.0.remove(name)
    }

    /// Looks at a socket.
    pub fn get(&self, name: &str) -> Option<&TcpListener> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TcpListener)> {
        self.0.iter().map(|(name, socket)| (name.as_str(), socket))
    }

    /// Copies of the descriptors: the same sockets, held once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        let copies = self.0.iter().map(|(name, socket)| Ok((name.clone(), socket.try_clone()?)));
        copies.collect::<io::Result<_>>().map(Self)
    }
}
