//! The keeper stands in for init where there is none: `nodepanel up` in a shell, or process 1 of a container.
//!
//! It holds the listening sockets, so that connections queue while everything else is gone, and starts the
//! supervisor again when that ends. It knows nothing of the workers. Killed itself, it is missed by nobody: the next
//! one takes over the supervisor and copies of its sockets.

mod begin;
mod interrupts;
mod keep;
mod renewal;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use nodepanel_types::clock::Clock;

pub use interrupts::interrupts;
use renewal::Renewal;

use crate::{
    lock::{InstallationLock, LockError},
    plan::SocketSpec,
    process::{Ending, Process, ProcessError},
    run_dir::RunDir,
    sockets::{BindError, Sockets},
    worker_log::WorkerLog,
};

/// What a keeper keeps.
#[derive(Debug, Clone)]
pub struct KeeperPlan {
    /// The directory of the installation.
    pub data_dir: PathBuf,
    /// The listening sockets, as in the supervisor's plan.
    pub sockets: Vec<SocketSpec>,
    /// What to run as the supervisor.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to the keeper's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// An interrupt stops the game servers too.
    pub stop_servers: bool,
    /// The command line of the keeper itself, by which it goes on as a later build: the name of the program first. Empty
    /// for one that never does.
    pub command: Vec<OsString>,
}

/// A keeper with a supervisor that answers.
pub struct Keeper {
    plan: KeeperPlan,
    clock: Arc<dyn Clock>,
    run_dir: RunDir,
    sockets: Sockets,
    log: WorkerLog,
    supervisor: Process,
    found: bool,
    renewal: Renewal,
    lock: InstallationLock,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("plan", &self.plan).field("supervisor", &self.supervisor).finish_non_exhaustive()
    }
}

impl Keeper {
    /// The supervisor's process id.
    pub const fn supervisor_pid(&self) -> u32 {
        self.supervisor.pid()
    }

    /// Whether the supervisor ran already when the keeper began.
    pub const fn found_running(&self) -> bool {
        self.found
    }

    /// The file that the supervisor's messages go to.
    pub fn log_path(data_dir: &Path) -> PathBuf {
        WorkerLog::directory(data_dir).join("supervisor.log")
    }
}

/// Why nothing could be kept.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Another keeper is there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A socket cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The supervisor cannot be started or watched.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The supervisor ended before it answered once.
    #[error("the supervisor {ending}; its last words: {last_words}\n(all of them are in {})", log.display())]
    FirstStart {
        /// How.
        ending: Ending,
        /// The end of its log.
        last_words: String,
        /// Its log.
        log: PathBuf,
    },
    /// The supervisor runs and does not answer.
    #[error("the supervisor (process {pid}) does not answer; what it says is in {}", log.display())]
    Silent {
        /// Its process id.
        pid: u32,
        /// Its log.
        log: PathBuf,
    },
    /// What the keeper before this one left cannot be taken over.
    #[error("cannot go on where the last build stopped")]
    Left(#[source] io::Error),
    /// A file or directory of the installation cannot be used.
    #[error("cannot {what} {}", path.display())]
    Files {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
