//! What the node did, numbered and bounded.

use nodepanel_types::{
    ServerId, Timestamp,
    wire::{ActivityEntry, ActivityKind},
};
use rusqlite::{Row, Transaction, params};

use super::{Db, DbError, whole::Whole};
use crate::plan::Note;

/// Entries that are kept; older ones are the control plane's to remember.
const KEPT: u64 = 20_000;

impl Db {
    /// Appends to the journal; returns the entries with their numbers.
    pub async fn note(
        &self,
        at: Timestamp,
        server: Option<ServerId>,
        notes: Vec<Note>,
    ) -> Result<Vec<ActivityEntry>, DbError> {
        self.transact(move |transaction| append(transaction, at, server, notes)).await
    }

    /// The entries of one server, newest first.
    pub async fn activity_of(&self, server: ServerId, limit: u32) -> Result<Vec<ActivityEntry>, DbError> {
        self.transact(move |transaction| {
            transaction
                .prepare_cached(&format!("{COLUMNS} WHERE server = ?1 ORDER BY n DESC LIMIT ?2"))?
                .query_map(params![server.to_string(), limit], entry)?
                .collect()
        })
        .await
    }

    /// The entries after number `after`, oldest first.
    pub async fn activity_after(&self, after: u64, limit: u32) -> Result<Vec<ActivityEntry>, DbError> {
        self.transact(move |transaction| {
            transaction
                .prepare_cached(&format!("{COLUMNS} WHERE n > ?1 ORDER BY n LIMIT ?2"))?
                .query_map(params![Whole(after), limit], entry)?
                .collect()
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
        kind: kind_from(&kind),
        text: row.get(4)?,
        took_ms: row.get::<_, Option<Whole>>(5)?.map(|millis| millis.0),
        automatic: row.get(6)?,
    })
}

const fn kind_name(kind: ActivityKind) -> &'static str {
    match kind {
        ActivityKind::Install => "install",
        ActivityKind::Power => "power",
        ActivityKind::Crash => "crash",
        ActivityKind::Restart => "restart",
        ActivityKind::Recovery => "recovery",
        ActivityKind::Remove => "remove",
    }
}

fn kind_from(name: &str) -> ActivityKind {
    match name {
        "install" => ActivityKind::Install,
        "crash" => ActivityKind::Crash,
        "restart" => ActivityKind::Restart,
        "recovery" => ActivityKind::Recovery,
        "remove" => ActivityKind::Remove,
        _ => ActivityKind::Power,
    }
}

/// Appends within a transaction.
pub(super) fn append(
    transaction: &Transaction<'_>,
    at: Timestamp,
    server: Option<ServerId>,
    notes: Vec<Note>,
) -> rusqlite::Result<Vec<ActivityEntry>> {
    let mut entries = Vec::with_capacity(notes.len());
    for note in notes {
        transaction.execute(
            "INSERT INTO activity (at, server, kind, text, took_ms, automatic) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                at.as_millis(),
                server.map(|server| server.to_string()),
                kind_name(note.kind),
                note.text,
                note.took_ms.map(Whole),
                note.automatic
            ],
        )?;
        let n = transaction.last_insert_rowid().unsigned_abs();
        if n.is_multiple_of(256) {
            transaction.execute("DELETE FROM activity WHERE n <= ?1", [Whole(n.saturating_sub(KEPT))])?;
        }
        let Note { kind, text, took_ms, automatic } = note;
        entries.push(ActivityEntry { n, at, server, kind, text, took_ms, automatic });
    }
    Ok(entries)
}
