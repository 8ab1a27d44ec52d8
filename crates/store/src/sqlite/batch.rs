//! One SQLite transaction that carries many of ours: each is applied whole or not at all, all share one fsync.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::rows::{self, Horizon};
use crate::{CommitError, Committed, Conflict, Key, LeaseId, Operation, Revision, StoreError, Transaction};

/// The state of the store inside an open write transaction.
pub(super) struct Batch<'c> {
    pub(super) connection: &'c Connection,
    /// The last revision that was used, by this batch or before it.
    pub(super) revision: Revision,
    /// Milliseconds since boot.
    pub(super) now_ms: u64,
    began_at: Revision,
    position: i64,
}

/// The present version of a key, without its value.
struct Present {
    id: i64,
    created: i64,
}

impl<'c> Batch<'c> {
    /// Takes stock at the start of a write transaction.
    pub(super) fn begin(connection: &'c Connection, now_ms: u64) -> rusqlite::Result<Self> {
        let revision = Horizon::read(connection)?.revision;
        Ok(Self { connection, revision, now_ms, began_at: revision, position: 0 })
    }

    /// Writes down how far the batch came, right before COMMIT.
    pub(super) fn finish(&self) -> rusqlite::Result<Revision> {
        if self.revision != self.began_at {
            self.connection.prepare_cached("UPDATE store SET revision = ?1")?.execute([rows::number(self.revision)])?;
        }
        Ok(self.revision)
    }

    /// Applies one of our transactions. The inner error leaves nothing applied; the outer one spoils the batch.
    pub(super) fn apply(&mut self, transaction: &Transaction) -> rusqlite::Result<Result<Committed, CommitError>> {
        for compare in transaction.compares() {
            let actual = rows::get(self.connection, &compare.key)?;
            if !compare.expected.holds(actual.as_ref()) {
                let conflict = Conflict { key: compare.key.clone(), expected: compare.expected, actual };
                return Ok(Err(conflict.into()));
            }
        }
        for operation in transaction.operations() {
            if let Operation::Put { lease: Some(lease), .. } = operation
                && !self.lease_is_alive(*lease)?
            {
                return Ok(Err(StoreError::LeaseNotFound { lease: *lease }.into()));
            }
        }
        let before = self.revision;
        self.next_revision();
        for operation in transaction.operations() {
            match operation {
                Operation::Put { key, value, lease } => self.put(key, value, *lease)?,
                Operation::Delete { key } => self.delete(key)?,
            }
        }
        if self.position == 0 {
            self.revision = before;
        }
        Ok(Ok(Committed { revision: self.revision }))
    }

    pub(super) fn next_revision(&mut self) {
        self.revision = self.revision.next();
        self.position = 0;
    }

    fn put(&mut self, key: &Key, value: &Bytes, lease: Option<LeaseId>) -> rusqlite::Result<()> {
        let created = match self.present(key)? {
            Some(present) => {
                self.supersede(present.id)?;
                present.created
            }
            None => rows::number(self.revision),
        };
        let lease = lease.map(|lease| lease.0.cast_signed());
        self.connection
            .prepare_cached("INSERT INTO versions (id, key, created, lease, value) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.row_id(), key.as_str(), created, lease, &value[..]])?;
        self.position += 1;
        Ok(())
    }

    /// Deletes a key at the current revision; nothing happens when it does not exist.
    pub(super) fn delete(&mut self, key: &Key) -> rusqlite::Result<()> {
        let Some(present) = self.present(key)? else { return Ok(()) };
        self.supersede(present.id)?;
        self.connection
            .prepare_cached("INSERT INTO versions (id, key, created, superseded) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![self.row_id(), key.as_str(), present.created, rows::number(self.revision)])?;
        self.position += 1;
        Ok(())
    }

    fn row_id(&self) -> i64 {
        rows::row_id(self.revision, self.position)
    }

    fn present(&self, key: &Key) -> rusqlite::Result<Option<Present>> {
        self.connection
            .prepare_cached("SELECT id, created FROM versions WHERE superseded IS NULL AND key = ?1")?
            .query_row([key.as_str()], |row| Ok(Present { id: row.get(0)?, created: row.get(1)? }))
            .optional()
    }

    fn supersede(&self, id: i64) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE versions SET superseded = ?1 WHERE id = ?2")?
            .execute([rows::number(self.revision), id])?;
        Ok(())
    }
}

impl Batch<'_> {
    /// Gives up history up to `target` and removes at most `rows` rows of it; answers how many were removed.
    pub(super) fn compact(&self, target: Revision, rows: usize) -> rusqlite::Result<usize> {
        let target = rows::number(target);
        self.connection.prepare_cached("UPDATE store SET compacted = ?1 WHERE compacted < ?1")?.execute([target])?;
        let sql = "DELETE FROM versions WHERE id IN
                   (SELECT id FROM versions WHERE superseded IS NOT NULL AND superseded <= ?1 LIMIT ?2)";
        self.connection.prepare_cached(sql)?.execute(params![target, i64::try_from(rows).unwrap_or(i64::MAX)])
    }
}
