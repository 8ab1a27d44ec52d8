//! The supervisor: holds the listening sockets, starts the workers of the plan, watches them and replaces them.
//!
//! One task owns all state and takes one event after the other; decisions are made in `lifecycle` and `policy`,
//! and nothing here waits for a disk or for another process.

mod announce;
mod connections;
mod core;
mod examine;
mod overseer;
mod recorder;
mod renew;
mod requests;
mod slot;
mod takeover;
mod upgrade;

use std::{io, path::PathBuf};

pub use self::core::{Left, run};

use crate::{lock::LockError, plan::PlanError, sockets::BindError};

/// Why the supervisor could not begin. Once it runs, nothing ends it but a request.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The plan does not fit together.
    #[error("the plan of processes is wrong")]
    Plan(#[from] PlanError),
    /// Another supervisor runs, or the lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A socket cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A file or directory of the installation cannot be used.
    #[error("cannot {what} {}", path.display())]
    Files {
        /// What was tried: "open", "listen on".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
