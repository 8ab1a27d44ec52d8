//! One process of the operating system: who it is, how to start it, how to wait for its end, how it ended.
//!
//! Everything goes through a pidfd, so that a recycled pid can never be waited for or signalled by mistake, and so
//! that processes which somebody else started are watched in the same way as our own children.

mod ending;
mod handle;
mod identity;
mod launch;
mod orphans;
pub mod succession;
mod usage;

pub use ending::Ending;
pub use handle::Process;
pub use identity::Identity;
pub use launch::{Launch, become_program};
pub use orphans::reap_orphans;
pub use rustix::process::Signal;
pub use usage::Usage;

use std::{io, path::PathBuf};

/// Why something could not be done with a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("cannot start {}", program.display())]
    Start {
        /// The program as it was given.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The process runs but cannot be watched.
    #[error("cannot watch process {pid}")]
    Watch {
        /// Which process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The process could not be signalled.
    #[error("cannot send {signal} to process {pid}")]
    Signal {
        /// Which process.
        pid: u32,
        /// The name of the signal.
        signal: String,
        /// What the system said.
        source: io::Error,
    },
    /// `/proc` says nothing, or nothing that can be understood, about the process.
    #[error("cannot read the identity of process {pid} from /proc")]
    Identity {
        /// Which process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}
