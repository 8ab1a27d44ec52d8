//! What a run does, and what can go wrong with one.

use std::path::PathBuf;

use nodepanel_shim::{
    ClientError,
    protocol::{Ended, RefusalCode, ShimState, ShimStatus},
};
use nodepanel_types::{
    Timestamp,
    state::{Exit, Run},
};

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It is there.
    Alive {
        /// Its process; `None` until it is the game's own program.
        run: Option<Run>,
        /// When it was ready.
        ready_at: Option<Timestamp>,
        /// Whether its sign was seen, or only the time for it is up.
        sign_seen: bool,
        /// What is weaker than it could be, each a sentence.
        notes: Vec<String>,
    },
    /// It has ended, and everything that it started with it.
    Ended(RunEnd),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// When its process was spawned, if it was.
    pub started_at: Option<Timestamp>,
    /// How it ended.
    pub exit: Exit,
    /// Whether its keeper had been asked to end it.
    pub asked: bool,
    /// Whether it took SIGKILL.
    pub killed: bool,
    /// When.
    pub at: Timestamp,
}

impl From<Ended> for RunEnd {
    fn from(ended: Ended) -> Self {
        Self {
            started_at: ended.run.map(|run| run.started_at),
            exit: ended.exit,
            asked: ended.asked,
            killed: ended.killed,
            at: ended.at,
        }
    }
}

impl From<ShimStatus> for RunState {
    fn from(status: ShimStatus) -> Self {
        let notes = status.notes;
        match status.state {
            ShimState::Starting { run } => Self::Alive { run, ready_at: None, sign_seen: true, notes },
            ShimState::Running { run, ready_at, sign_seen } => {
                Self::Alive { run: Some(run), ready_at: Some(ready_at), sign_seen, notes }
            }
            ShimState::Stopping { run, .. } => Self::Alive { run: Some(run), ready_at: None, sign_seen: true, notes },
            ShimState::Exited(ended) => Self::Ended(ended.into()),
        }
    }
}

/// Why a runtime did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Something on disk could not be prepared.
    #[error("cannot prepare {}", path.display())]
    Prepare {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The limits cannot be set.
    #[error("the limits of the server cannot be set")]
    Limits {
        /// Why.
        source: std::io::Error,
    },
    /// The keeper could not be started.
    #[error("the keeper of the server cannot be started")]
    Keeper {
        /// Why.
        source: nodepanel_supervise::process::ProcessError,
    },
    /// The keeper ended before it could be asked anything.
    #[error("the keeper of the server ended at once ({ending}): {words}")]
    KeeperEnded {
        /// How.
        ending: String,
        /// The last line that it said.
        words: String,
    },
    /// The keeper did not answer.
    #[error("the keeper of the server does not answer")]
    Silent {
        /// Why.
        source: ClientError,
    },
    /// It refused.
    #[error("{message}")]
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for people.
        message: String,
    },
    /// A task of the agent ended unexpectedly.
    #[error("the agent is shutting down")]
    Closing,
}

impl RuntimeError {
    /// The error in words for the server's owner, who is not shown the paths of the host.
    pub fn for_owner(&self) -> String {
        match self {
            Self::Prepare { source, .. } => format!("its files cannot be prepared: {source}"),
            Self::Keeper { .. } => "its keeper cannot be started; the node's log says why".to_owned(),
            Self::KeeperEnded { ending, .. } => {
                format!("its keeper ended before it could be asked anything ({ending}); the node's log says why")
            }
            Self::Silent { .. } => "its keeper does not answer".to_owned(),
            Self::Limits { .. } | Self::Refused { .. } | Self::Closing => self.in_full(),
        }
    }

    /// The error with its causes, in one line.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<ClientError> for RuntimeError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(refusal) => Self::Refused { code: refusal.code, message: refusal.message },
            source => Self::Silent { source },
        }
    }
}
