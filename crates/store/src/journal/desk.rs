//! The thread that owns the connection to the journal's file. It opens the file when it is needed, and anew after an
//! error or when somebody has moved the file away: what is wrong with it hurts nobody else, and ends by itself.

use std::{
    fs::{OpenOptions, Permissions},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
    time::Duration,
};

use rusqlite::{Connection, TransactionBehavior};

use super::rows;
use crate::{
    StoreError,
    sqlite::{failure, file::Identity},
};

/// How long another process may hold the lock.
const BUSY: Duration = Duration::from_secs(2);

pub(super) struct Desk {
    path: PathBuf,
    open: Option<(Connection, Option<Identity>)>,
}

impl Desk {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Runs `work` in a transaction: all of it is done or nothing.
    pub(super) fn work<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let outcome = self.connection().and_then(|connection| {
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        outcome.map_err(|error| {
            // After a failed write or sync nothing that the connection remembers is to be trusted.
            if !failure::is_busy(&error) {
                self.open = None;
            }
            failure::meaning(&error, &self.path, BUSY)
        })
    }

    fn connection(&mut self) -> rusqlite::Result<&mut Connection> {
        let there = Identity::of(&self.path);
        let open = match self.open.take() {
            Some((connection, identity)) if identity.is_some() && identity == there => (connection, identity),
            _ => self.connect()?,
        };
        Ok(&mut self.open.insert(open).0)
    }

    fn connect(&self) -> rusqlite::Result<(Connection, Option<Identity>)> {
        // What goes wrong here goes wrong again when it is opened, and is told there.
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path);
        let _ = file.and_then(|file| file.set_permissions(Permissions::from_mode(0o600)));
        let mut connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        // Without a sync for each entry: what a power failure takes is asked for again.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -1024;
             PRAGMA journal_size_limit = 4194304;",
        )?;
        rows::prepare(&mut connection)?;
        Ok((connection, Identity::of(&self.path)))
    }
}
