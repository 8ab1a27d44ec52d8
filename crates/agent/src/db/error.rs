//! What can go wrong with the agent's database, in words for the operator.

use std::path::PathBuf;

use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_SHMSIZE};

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No space left.
    #[error("the disk that holds {} is full: the change is not saved; free some space", path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The disk reports an error.
    #[error(
        "the disk that holds {} reports errors: the change is not saved; look at the disk and the kernel's log",
        path.display()
    )]
    Failing {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The file is not a sound database.
    #[error(
        "the agent's database {} is damaged; game servers that run go on running. Restore it from a copy, or move it \
         away and restart the agent: it then takes what it should run from the control plane again",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// Made by a newer version.
    #[error(
        "the agent's database {} was written by a newer NodePanel (format {found}, this one knows {known}); install \
         that version or a newer one",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
    },
    /// It cannot be opened or written.
    #[error("the agent's database {} cannot be used; check that the disk is there and writable", path.display())]
    Unusable {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The thread could not be started.
    #[error("the database thread could not be started")]
    NoThread {
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The agent is ending.
    #[error("the agent is shutting down; the change was not saved")]
    Closed,
}

impl DbError {
    pub(super) fn from_sqlite(path: PathBuf, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            // The index of the log is extended by writing to it, which is where a full disk shows first.
            Some(ErrorCode::SystemIoFailure)
                if source.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE) =>
            {
                Self::Full { path, source }
            }
            Some(ErrorCode::SystemIoFailure) => Self::Failing { path, source },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            _ => Self::Unusable { path, source },
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
