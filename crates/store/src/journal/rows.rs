//! The journal's tables, and what is read from and written to them.

use nodepanel_types::{
    NodeId, ServerId, Timestamp,
    wire::{ActivityEntry, ActivityKind},
};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::{Delivered, JournalLimits, Position};

/// `NPjl` in ASCII.
const APPLICATION_ID: i32 = 0x4e50_6a6c;
/// The format that this version writes (`PRAGMA user_version`).
const FORMAT: u32 = 1;
/// Entries that are looked at for their age when others are added.
const OLD_AT_ONCE: u32 = 64;

const TABLES: &str = "
CREATE TABLE entries (
    row       INTEGER PRIMARY KEY AUTOINCREMENT,
    node      TEXT NOT NULL,
    n         INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    heard     INTEGER NOT NULL,    -- when it came here, by this host's clock
    server    TEXT,
    kind      TEXT NOT NULL,
    text      TEXT NOT NULL,
    took_ms   INTEGER,
    automatic INTEGER NOT NULL,
    UNIQUE (node, n, at)
) STRICT;
CREATE INDEX entries_by_server ON entries (server, row);
CREATE TABLE positions (
    node TEXT PRIMARY KEY,
    n    INTEGER NOT NULL,         -- the last entry that came from the node; stays when the entry goes
    at   INTEGER NOT NULL
) STRICT;
";

pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if format == 0 && tables == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        return transaction.commit();
    }
    if format == FORMAT {
        return Ok(());
    }
    let what = format!("it has format {format}, and this version knows {FORMAT}");
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN), Some(what)))
}

pub(super) fn position(transaction: &Transaction<'_>, node: NodeId) -> rusqlite::Result<Option<Position>> {
    transaction
        .prepare_cached("SELECT n, at FROM positions WHERE node = ?1")?
        .query_row([node.to_string()], |row| {
            Ok(Position { n: whole(row.get(0)?), at: Timestamp::from_millis(row.get(1)?) })
        })
        .optional()
}

pub(super) fn append(
    transaction: &Transaction<'_>,
    delivered: &Delivered,
    limits: JournalLimits,
) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (delivered.entries.first(), delivered.entries.last()) else { return Ok(()) };
    let held = position(transaction, delivered.node)?.map_or(0, |position| position.n);
    if let Some(lost) = delivered.begins_at.and_then(|from| from.checked_sub(held.saturating_add(1)))
        && lost > 0
    {
        insert(transaction, delivered, &gap(lost, first))?;
    }
    let mut news = 0;
    for entry in &delivered.entries {
        news += insert(transaction, delivered, entry)?;
    }
    // A reader that is behind another one must not set back what is known to be here.
    if news == 0 {
        return Ok(());
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO positions (node, n, at) VALUES (?1, ?2, ?3)")?
        .execute(params![delivered.node.to_string(), signed(last.n), last.at.as_millis()])?;
    forget(transaction, delivered.heard, limits)
}

/// Tells of entries that their node dropped before they could be read. The same for every reader of the same gap.
fn gap(lost: u64, next: &ActivityEntry) -> ActivityEntry {
    let entries = if lost == 1 { "1 entry".to_owned() } else { format!("{lost} entries") };
    ActivityEntry {
        n: next.n.saturating_sub(1),
        at: next.at,
        server: None,
        kind: ActivityKind::Recovery,
        text: format!(
            "{entries} of this node's journal before number {} are missing: the node had more to tell than it keeps, \
             before anybody could be told.",
            next.n
        ),
        took_ms: None,
        automatic: true,
    }
}

fn insert(transaction: &Transaction<'_>, delivered: &Delivered, entry: &ActivityEntry) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO entries (node, n, at, heard, server, kind, text, took_ms, automatic)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            delivered.node.to_string(),
            signed(entry.n),
            entry.at.as_millis(),
            delivered.heard.as_millis(),
            entry.server.map(|server| server.to_string()),
            entry.kind.as_str(),
            entry.text,
            entry.took_ms.map(signed),
            entry.automatic
        ])
}

/// Forgets what is too old or too much. Positions stay: a node is never asked again for what was forgotten.
fn forget(transaction: &Transaction<'_>, now: Timestamp, limits: JournalLimits) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM entries WHERE row <= (SELECT MAX(row) FROM entries) - ?1")?
        .execute([signed(limits.entries)])?;
    let oldest = now.as_millis().saturating_sub_unsigned(limits.age_ms);
    transaction
        .prepare_cached(
            "DELETE FROM entries WHERE row IN
             (SELECT row FROM (SELECT row, heard FROM entries ORDER BY row LIMIT ?1) WHERE heard < ?2)",
        )?
        .execute(params![OLD_AT_ONCE, oldest])?;
    Ok(())
}

const COLUMNS: &str = "SELECT n, at, server, kind, text, took_ms, automatic FROM entries";

pub(super) fn of_server(
    transaction: &Transaction<'_>,
    server: ServerId,
    limit: u32,
) -> rusqlite::Result<Vec<ActivityEntry>> {
    newest(transaction, "server", &server.to_string(), limit)
}

pub(super) fn of_node(transaction: &Transaction<'_>, node: NodeId, limit: u32) -> rusqlite::Result<Vec<ActivityEntry>> {
    newest(transaction, "node", &node.to_string(), limit)
}

fn newest(transaction: &Transaction<'_>, of: &str, id: &str, limit: u32) -> rusqlite::Result<Vec<ActivityEntry>> {
    transaction
        .prepare_cached(&format!("{COLUMNS} WHERE {of} = ?1 ORDER BY row DESC LIMIT ?2"))?
        .query_map(params![id, limit], entry)?
        .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<ActivityEntry> {
    let server: Option<String> = row.get(2)?;
    let kind: String = row.get(3)?;
    Ok(ActivityEntry {
        n: whole(row.get(0)?),
        at: Timestamp::from_millis(row.get(1)?),
        server: server.and_then(|id| id.parse().ok()),
        kind: ActivityKind::named(&kind).unwrap_or(ActivityKind::Power),
        text: row.get(4)?,
        took_ms: row.get::<_, Option<i64>>(5)?.map(whole),
        automatic: row.get(6)?,
    })
}

/// SQLite's integers are signed; numbers beyond its range do not occur.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
