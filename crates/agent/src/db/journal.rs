//! What the node did, numbered and bounded.

use nodepanel_types::{
    ServerId, Timestamp,
    wire::{ActivityEntry, ActivityKind},
};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::{Db, DbError, whole::Whole};
use crate::plan::Note;

/// Entries that are kept; older ones are the control plane's to remember. A busy machine writes some hundred a day.
const KEPT: u64 = 20_000;

/// Something to be remembered, and when it happened: that may be long before it can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub note: Note,
}

impl Db {
    /// Appends what concerns the node itself; returns the number of the last entry.
    pub async fn note(&self, notes: Vec<Noted>) -> Result<Option<u64>, DbError> {
        self.transact(move |transaction| append(transaction, None, &notes)).await
    }

    /// The entries of one server, newest first.
    pub async fn activity_of(&self, server: ServerId, limit: u32) -> Result<Vec<ActivityEntry>, DbError> {
        self.read(move |transaction| {
            transaction
                .prepare_cached(&format!("{COLUMNS} WHERE server = ?1 ORDER BY n DESC LIMIT ?2"))?
                .query_map(params![server.to_string(), limit], entry)?
                .collect()
        })
        .await
    }

    /// The entries after number `after`, oldest first.
    pub async fn activity_after(&self, after: u64, limit: u32) -> Result<Vec<ActivityEntry>, DbError> {
        self.read(move |transaction| {
            transaction
                .prepare_cached(&format!("{COLUMNS} WHERE n > ?1 ORDER BY n LIMIT ?2"))?
                .query_map(params![Whole(after), limit], entry)?
                .collect()
        })
        .await
    }

    /// The number of the entry from which on a reader is to be told whose last entry is `after`, made at `at`. It is
    /// the next one, unless these are not the records that the reader knows, or the next one is gone: then it is the
    /// oldest that is there.
    pub async fn activity_from(&self, after: u64, at: Option<Timestamp>) -> Result<u64, DbError> {
        self.read(move |transaction| {
            let held: Option<i64> = transaction
                .query_row("SELECT at FROM activity WHERE n = ?1", [Whole(after)], |row| row.get(0))
                .optional()?;
            if held.is_some() && held == at.map(Timestamp::as_millis) {
                return Ok(after + 1);
            }
            let oldest: Option<Whole> = transaction.query_row("SELECT MIN(n) FROM activity", [], |row| row.get(0))?;
            Ok(oldest.map_or(1, |oldest| oldest.0))
        })
        .await
    }
}

const COLUMNS: &str = "SELECT n, at, server, kind, text, took_ms, automatic FROM activity";

fn entry(row: &Row<'_>) -> rusqlite::Result<ActivityEntry> {
    let server: Option<String> = row.get(2)?;
    let kind: String = row.get(3)?;
    Ok(ActivityEntry {
        n: row.get::<_, Whole>(0)?.0,
        at: Timestamp::from_millis(row.get(1)?),
        server: server.and_then(|id| id.parse().ok()),
        kind: ActivityKind::named(&kind).unwrap_or(ActivityKind::Power),
        text: row.get(4)?,
        took_ms: row.get::<_, Option<Whole>>(5)?.map(|millis| millis.0),
        automatic: row.get(6)?,
    })
}

/// Appends within a transaction; returns the number of the last entry.
pub(super) fn append(
    transaction: &Transaction<'_>,
    server: Option<ServerId>,
    notes: &[Noted],
) -> rusqlite::Result<Option<u64>> {
    let mut last = None;
    for Noted { at, note } in notes {
        transaction.execute(
            "INSERT INTO activity (at, server, kind, text, took_ms, automatic) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                at.as_millis(),
                server.map(|server| server.to_string()),
                note.kind.as_str(),
                note.text,
                note.took_ms.map(Whole),
                note.automatic
            ],
        )?;
        let n = transaction.last_insert_rowid().unsigned_abs();
        if n.is_multiple_of(256) {
            transaction.execute("DELETE FROM activity WHERE n <= ?1", [Whole(n.saturating_sub(KEPT))])?;
        }
        last = Some(n);
    }
    Ok(last)
}
