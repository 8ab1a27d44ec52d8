//! The sockets that our parent opened for us: systemd, or a keeper or supervisor of ours.
//!
//! The convention is systemd's (`LISTEN_FDS`, `LISTEN_FDNAMES`); `LISTEN_PID` is checked where it is set. A parent
//! of ours cannot set it, since nobody knows the pid before the process exists.

use std::env;

use listenfd::ListenFd;
use nodepanel_types::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Sockets;

/// What the parent handed down.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Listening TCP sockets by name.
    pub sockets: Sockets,
    /// The process whose place the caller takes, when the parent saw it end.
    pub predecessor: Option<Predecessor>,
}

/// The variable that tells a process of ours whose place it takes, as JSON of `Predecessor`.
pub const PREDECESSOR: &str = "NODEPANEL_PREDECESSOR";

/// A process that ended and was started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// When its parent saw it end.
    pub ended_at: Timestamp,
    /// How, as the rest of a sentence: "was killed by SIGKILL".
    pub how: String,
}

impl Inherited {
    /// Takes the sockets out of the environment, once: a second call finds nothing. Call it first in `main`,
    /// before threads exist, since it removes the variables so that no grandchild believes them.
    ///
    /// A descriptor that is not a listening TCP socket is left alone with a warning.
    pub fn from_env() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut handed = ListenFd::from_env();
        let mut sockets = Sockets::default();
        for (index, name) in (0..handed.len()).zip(names.split(':').chain(std::iter::repeat(""))) {
            match handed.take_tcp_listener(index) {
                Ok(Some(socket)) if !name.is_empty() => sockets.insert(name, socket),
                Ok(Some(_)) => warn!(socket.index = index, "inherited a socket without a name; closed it"),
                Ok(None) => {}
                Err(error) => warn!(socket.name = name, %error, "inherited a descriptor that is no TCP listener"),
            }
        }
        let predecessor = env::var(PREDECESSOR).ok().and_then(|text| serde_json::from_str(&text).ok());
        Self { sockets, predecessor }
    }
}
