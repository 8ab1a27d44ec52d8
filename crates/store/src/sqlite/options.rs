//! What can be chosen when a SQLite store is opened.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::{BootClock, HostClock};

/// How a SQLite store is opened. [`SqliteOptions::new`] has the values for production.
#[derive(Clone)]
pub struct SqliteOptions {
    /// The database file. It and its directory are created when they are missing.
    pub path: PathBuf,
    /// How long a request may wait before it fails.
    pub deadline: Duration,
    /// History younger than this is kept for watches and paged lists, unless it exceeds `history_revisions`.
    pub history_age: Duration,
    /// The most revisions of history that are kept.
    pub history_revisions: u64,
    /// The largest size of the file in bytes; beyond it, writes fail as if the disk were full.
    pub quota_bytes: Option<u64>,
    /// The clock that leases are judged by.
    pub clock: Arc<dyn HostClock>,
}

impl SqliteOptions {
    /// The usual options for the store at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            deadline: Duration::from_secs(5),
            history_age: Duration::from_secs(600),
            history_revisions: 100_000,
            quota_bytes: None,
            clock: Arc::new(BootClock),
        }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("path", &self.path)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
