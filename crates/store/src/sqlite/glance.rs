//! A look at how far the store has come, cheap enough to be taken before every read.
//!
//! `PRAGMA data_version` says whether any other connection, of this process or another one, has committed since it was
//! asked last. It looks at memory that SQLite shares between processes, not at the disk, and a commit shows there
//! before it is acknowledged. Only when it has changed is the revision read. Nothing here waits: while SQLite has the
//! shared memory locked, to recover a log, the answer is that there is none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::watch;

use super::rows::Horizon;
use crate::Revision;

/// A connection that only looks, and the revision that this process knows of, which every look brings up to date.
pub(super) struct Glance {
    eye: Mutex<Eye>,
    head: watch::Sender<Revision>,
}

struct Eye {
    connection: Connection,
    /// The data version at the last look.
    version: Option<i64>,
    /// The revision then.
    revision: Revision,
}

impl Glance {
    /// Looks through `connection`, which must never wait for a lock, and raises `head`.
    pub(super) const fn new(connection: Connection, head: watch::Sender<Revision>) -> Self {
        Self { eye: Mutex::new(Eye { connection, version: None, revision: Revision::ZERO }), head }
    }

    /// The newest revision that anybody has committed, and whether that is news to this process.
    pub(super) fn look(&self) -> rusqlite::Result<(Revision, bool)> {
        let revision = self.eye().look()?;
        let news = self.head.send_if_modified(|head| {
            let grown = revision > *head;
            *head = revision.max(*head);
            grown
        });
        Ok((revision, news))
    }

    fn eye(&self) -> MutexGuard<'_, Eye> {
        // A panic in between leaves at worst an old version, and that is looked at again.
        self.eye.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Eye {
    fn look(&mut self) -> rusqlite::Result<Revision> {
        let version =
            self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
        if self.version != Some(version) {
            // In this order: what is committed in between is in the revision already, and looked at once more.
            self.revision = Horizon::read(&self.connection)?.revision;
            self.version = Some(version);
        }
        Ok(self.revision)
    }
}
