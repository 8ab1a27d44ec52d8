//! Idempotency keys of commands: a line that was typed once is not typed again.

use nodepanel_types::{ServerId, Timestamp, limits::IDEMPOTENCY_TTL_MS};
use rusqlite::{OptionalExtension, params};

use super::{Db, DbError, whole::Whole};

impl Db {
    /// Reserves `key` before its command is typed. `None` when it is new; otherwise the line number under which the
    /// command appeared, if that became known.
    pub async fn reserve_key(
        &self,
        server: ServerId,
        key: String,
        now: Timestamp,
    ) -> Result<Option<Option<u64>>, DbError> {
        self.transact(move |transaction| {
            let oldest = now.as_millis().saturating_sub_unsigned(IDEMPOTENCY_TTL_MS);
            transaction.execute("DELETE FROM keys WHERE at < ?1", [oldest])?;
            let id = server.to_string();
            let held = transaction
                .query_row("SELECT line FROM keys WHERE server = ?1 AND key = ?2", params![id, key], |row| {
                    row.get::<_, Option<Whole>>(0)
                })
                .optional()?
                .map(|line| line.map(|line| line.0));
            if held.is_none() {
                transaction.execute(
                    "INSERT INTO keys (server, key, at) VALUES (?1, ?2, ?3)",
                    params![id, key, now.as_millis()],
                )?;
            }
            Ok(held)
        })
        .await
    }

    /// Remembers what came of a key: the line number, or, when the command was certainly not typed, nothing at all,
    /// so that a repetition types it.
    pub async fn settle_key(&self, server: ServerId, key: String, typed: Option<u64>) -> Result<(), DbError> {
        self.transact(move |transaction| {
            let id = server.to_string();
            match typed {
                Some(line) => transaction.execute(
                    "UPDATE keys SET line = ?3 WHERE server = ?1 AND key = ?2",
                    params![id, key, Whole(line)],
                )?,
                None => transaction.execute("DELETE FROM keys WHERE server = ?1 AND key = ?2", params![id, key])?,
            };
            Ok(())
        })
        .await
    }
}
