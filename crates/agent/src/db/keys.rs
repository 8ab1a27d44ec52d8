//! Idempotency keys of commands: a line that was typed once is not typed again, and one that was refused is not typed
//! later.

use nodepanel_types::{ServerId, Timestamp, limits::IDEMPOTENCY_TTL_MS};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{Db, DbError, whole::Whole};

/// What is known of a key when its command comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It is new, and reserved from now on.
    New,
    /// It was reserved before, and what came of it was never written down: the agent ended in between, or the keeper
    /// did not answer. The line may have been typed or not.
    Unsettled {
        /// When it was reserved.
        at: Timestamp,
    },
    /// Its command was refused, for good.
    Refused(KeptRefusal),
    /// Its command was typed.
    Typed {
        /// The number of the console line.
        line: u64,
    },
}

/// Why a command was not typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRefusal {
    /// The stable name of the reason.
    pub kind: String,
    /// The reason, in words.
    pub detail: String,
}

impl Db {
    /// Reserves `key` before its command is typed.
    pub async fn reserve_key(&self, server: ServerId, key: String, now: Timestamp) -> Result<Reserved, DbError> {
        self.transact(move |transaction| {
            let oldest = now.as_millis().saturating_sub_unsigned(IDEMPOTENCY_TTL_MS);
            transaction.execute("DELETE FROM keys WHERE at < ?1", [oldest])?;
            transaction.execute("DELETE FROM refusals WHERE at < ?1", [oldest])?;
            let id = server.to_string();
            let held = transaction
                .query_row("SELECT line, at FROM keys WHERE server = ?1 AND key = ?2", params![id, key], |row| {
                    Ok((row.get::<_, Option<Whole>>(0)?, row.get::<_, i64>(1)?))
                })
                .optional()?;
            if let Some((Some(line), _)) = held {
                return Ok(Reserved::Typed { line: line.0 });
            }
            let refused = transaction
                .query_row(
                    "SELECT kind, detail FROM refusals WHERE server = ?1 AND key = ?2",
                    params![id, key],
                    |row| Ok(KeptRefusal { kind: row.get(0)?, detail: row.get(1)? }),
                )
                .optional()?;
            if let Some(refused) = refused {
                return Ok(Reserved::Refused(refused));
            }
            if let Some((_, at)) = held {
                return Ok(Reserved::Unsettled { at: Timestamp::from_millis(at) });
            }
            transaction
                .execute("INSERT INTO keys (server, key, at) VALUES (?1, ?2, ?3)", params![id, key, now.as_millis()])?;
            Ok(Reserved::New)
        })
        .await
    }

    /// Remembers that the command of a reserved key was typed, and as which line.
    pub async fn settle_key(&self, server: ServerId, key: String, line: u64) -> Result<(), DbError> {
        self.transact(move |transaction| {
            transaction.execute(
                "UPDATE keys SET line = ?3 WHERE server = ?1 AND key = ?2",
                params![server.to_string(), key, Whole(line)],
            )?;
            Ok(())
        })
        .await
    }

    /// Remembers that the command of a reserved key was refused and certainly not typed: it is not typed later, either,
    /// when a try that is still on its way comes to a server that runs by then.
    pub async fn refuse_key(
        &self,
        server: ServerId,
        key: String,
        refusal: KeptRefusal,
        now: Timestamp,
    ) -> Result<(), DbError> {
        self.transact(move |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO refusals (server, key, kind, detail, at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![server.to_string(), key, refusal.kind, refusal.detail, now.as_millis()],
            )?;
            Ok(())
        })
        .await
    }
}

/// A run of the server has ended: what came of the keys that were reserved for it and never settled nobody will know,
/// and they are refused from now on. The instants of their reservations do not tell which run was meant: clocks are set.
pub(super) fn lose(transaction: &Transaction<'_>, server: ServerId, refusal: &KeptRefusal) -> rusqlite::Result<()> {
    transaction
        .execute(
            "INSERT OR IGNORE INTO refusals (server, key, kind, detail, at)
             SELECT server, key, ?2, ?3, at FROM keys WHERE server = ?1 AND line IS NULL",
            params![server.to_string(), refusal.kind, refusal.detail],
        )
        .map(drop)
}
