//! Why an agent cannot begin.

use std::{io, path::PathBuf};

use crate::db::DbError;

/// The agent cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its directory cannot be made or used.
    #[error("the agent's directory {} cannot be used; check that it is a directory and writable", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent uses it.
    #[error("another agent uses the directory {}; end it first, or give this one another --data-dir", path.display())]
    Occupied {
        /// Which.
        path: PathBuf,
    },
    /// The servers' files are elsewhere, and not there.
    #[error("the game servers' files were in {}, which is not there: mount it or put it back. To begin without them, remove the link {}", target.display(), link.display())]
    ServersGone {
        /// The link in the data directory.
        link: PathBuf,
        /// Where it leads to.
        target: PathBuf,
    },
    /// Its database cannot be opened.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A task ended unexpectedly.
    #[error("the agent was interrupted while it started")]
    Interrupted,
}

impl AgentError {
    /// Whether it may pass without anybody doing more than freeing some space: the same agent may try again.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Directory { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Database(error) => {
                matches!(error, DbError::Full { .. } | DbError::Failing { .. } | DbError::Unusable { .. })
            }
            Self::Occupied { .. } | Self::ServersGone { .. } | Self::Interrupted => false,
        }
    }
}
