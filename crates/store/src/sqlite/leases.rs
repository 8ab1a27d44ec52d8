//! Leases inside a write transaction. Deadlines are milliseconds on the host's boot clock.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::batch::Batch;
use crate::{Key, LeaseId};

/// Keys that vanish in one revision; a lease with more of them ends in several.
const KEYS_PER_REVISION: usize = 512;
/// Leases that are ended in one batch, so that a mass expiry does not hold up writers.
const LEASES_PER_BATCH: i64 = 64;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 1).min(u64::MAX >> 2)
}

/// When the next lease ends.
pub(super) fn next_deadline_ms(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT min(deadline_ms) FROM leases";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(i64::unsigned_abs))
}

impl Batch<'_> {
    pub(super) fn lease_grant(&self, ttl: Duration) -> rusqlite::Result<LeaseId> {
        let ttl = millis(ttl);
        self.connection
            .prepare_cached("INSERT INTO leases (ttl_ms, deadline_ms) VALUES (?1, ?2)")?
            .execute([ttl.cast_signed(), self.now_ms.saturating_add(ttl).cast_signed()])?;
        Ok(LeaseId(self.connection.last_insert_rowid().unsigned_abs()))
    }

    /// Starts the lease's time again; false when it has ended.
    pub(super) fn lease_keep_alive(&self, lease: LeaseId) -> rusqlite::Result<bool> {
        let sql = "UPDATE leases SET deadline_ms = ttl_ms + ?2 WHERE id = ?1 AND deadline_ms > ?2";
        let updated =
            self.connection.prepare_cached(sql)?.execute([lease.0.cast_signed(), self.now_ms.cast_signed()])?;
        Ok(updated > 0)
    }

    pub(super) fn lease_is_alive(&self, lease: LeaseId) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM leases WHERE id = ?1 AND deadline_ms > ?2";
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row([lease.0.cast_signed(), self.now_ms.cast_signed()], |_| Ok(()))
            .optional()?;
        Ok(found.is_some())
    }

    /// Ends a lease and deletes its keys.
    pub(super) fn lease_end(&mut self, lease: LeaseId) -> rusqlite::Result<()> {
        let keys = {
            let sql = "SELECT key FROM versions WHERE superseded IS NULL AND lease = ?1 ORDER BY key";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([lease.0.cast_signed()], |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        };
        for part in keys.chunks(KEYS_PER_REVISION) {
            self.next_revision();
            for key in part {
                let key = Key::new(key).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                self.delete(&key)?;
            }
        }
        self.connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?.execute([lease.0.cast_signed()])?;
        Ok(())
    }

    /// Ends the leases whose time is over.
    pub(super) fn expire_leases(&mut self) -> rusqlite::Result<usize> {
        let over = {
            let sql = "SELECT id FROM leases WHERE deadline_ms <= ?1 ORDER BY id LIMIT ?2";
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement
                .query_map(params![self.now_ms.cast_signed(), LEASES_PER_BATCH], |row| row.get::<_, i64>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        };
        for lease in &over {
            self.lease_end(LeaseId(lease.unsigned_abs()))?;
        }
        Ok(over.len())
    }

    /// After a reboot the old deadlines mean nothing: every lease gets its full time from now on.
    pub(super) fn adopt_boot(&self, boot_id: &str) -> rusqlite::Result<()> {
        let known: String = self.connection.query_row("SELECT boot_id FROM store", [], |row| row.get(0))?;
        if known != boot_id {
            self.connection.execute("UPDATE leases SET deadline_ms = ttl_ms + ?1", [self.now_ms.cast_signed()])?;
            self.connection.execute("UPDATE store SET boot_id = ?1", [boot_id])?;
        }
        Ok(())
    }
}
