//! What can go wrong between an agent and a shim.

use std::{io, path::PathBuf};

use crate::protocol::Refusal;

/// A request to a shim came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: the shim has gone, or is not up yet.
    #[error("no shim answers in {dir}", dir = dir.display())]
    Connect {
        /// Its directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke: the shim went, or was killed.
    #[error("the connection to the shim broke")]
    Broken(#[source] io::Error),
    /// The shim did not answer in time.
    #[error("the shim did not answer in time; it is stopped or its machine is overloaded")]
    TimedOut,
    /// The shim refused.
    #[error("the shim refused: {0}")]
    Refused(Refusal),
    /// The shim's answer makes no sense.
    #[error("the shim's answer is not understood")]
    Garbled(#[source] serde_json::Error),
}

impl ClientError {
    /// Whether the same request may meet a better answer a little later.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Garbled(_))
    }
}
