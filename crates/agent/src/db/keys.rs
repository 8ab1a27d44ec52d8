//! Idempotency keys of commands: a line that was typed once is not typed again.

use nodepanel_types::{ServerId, Timestamp, limits::IDEMPOTENCY_TTL_MS};
use rusqlite::{OptionalExtension, params};

use super::{Db, DbError, whole::Whole};

/// What is known of a key when its command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// It is new, and reserved from now on.
    New,
    /// It was reserved before, and what came of it was never written down: the agent ended in between, or the keeper
    /// did not answer. The line may have been typed or not.
    Unsettled {
        /// When it was reserved.
        at: Timestamp,
    },
    /// Its command was typed.
    Typed {
        /// The number of the console line.
        line: u64,
    },
}

impl Db {
    /// Reserves `key` before its command is typed.
    pub async fn reserve_key(&self, server: ServerId, key: String, now: Timestamp) -> Result<Reserved, DbError> {
        self.transact(move |transaction| {
            let oldest = now.as_millis().saturating_sub_unsigned(IDEMPOTENCY_TTL_MS);
            transaction.execute("DELETE FROM keys WHERE at < ?1", [oldest])?;
            let id = server.to_string();
            let held = transaction
                .query_row("SELECT line, at FROM keys WHERE server = ?1 AND key = ?2", params![id, key], |row| {
                    Ok((row.get::<_, Option<Whole>>(0)?, row.get::<_, i64>(1)?))
                })
                .optional()?;
            Ok(match held {
                Some((Some(line), _)) => Reserved::Typed { line: line.0 },
                Some((None, at)) => Reserved::Unsettled { at: Timestamp::from_millis(at) },
                None => {
                    transaction.execute(
                        "INSERT INTO keys (server, key, at) VALUES (?1, ?2, ?3)",
                        params![id, key, now.as_millis()],
                    )?;
                    Reserved::New
                }
            })
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
