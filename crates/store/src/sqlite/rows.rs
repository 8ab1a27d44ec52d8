//! The questions that are asked of the tables, each within one snapshot.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};

use crate::{Change, Continue, Entry, Key, LeaseId, Page, Prefix, Revision, StoreError, WatchBatch};

/// Positions within one revision: the factor between a revision and the id of its first row.
const POSITIONS: i64 = 1024;
/// A page or a batch of changes ends early once its values exceed this many bytes.
const READ_BYTES: usize = 4 * 1024 * 1024;
/// A read of the change log ends early after this many changes.
const READ_CHANGES: usize = 2_000;

/// Either SQLite failed, or the question cannot be answered.
pub(super) enum ReadError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// How far the store has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon {
    pub(super) revision: Revision,
    pub(super) compacted: Revision,
}

impl Horizon {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .prepare_cached("SELECT revision, compacted FROM store")?
            .query_row([], |row| Ok(Self { revision: revision(row.get(0)?), compacted: revision(row.get(1)?) }))
    }

    /// Whether history can be read from `asked` on.
    fn reaches(self, asked: Revision) -> Result<(), ReadError> {
        if asked < self.compacted {
            Err(ReadError::Store(StoreError::Compacted { asked, oldest: self.compacted }))
        } else if asked > self.revision {
            Err(ReadError::Store(StoreError::FutureRevision { asked, current: self.revision }))
        } else {
            Ok(())
        }
    }
}

const fn revision(number: i64) -> Revision {
    Revision(number.unsigned_abs())
}

/// A revision as SQLite stores it; a counter that starts at zero never gets near the limit.
pub(super) const fn number(revision: Revision) -> i64 {
    revision.0.cast_signed()
}

/// The id of the row at `position` of `revision`.
pub(super) const fn row_id(revision: Revision, position: i64) -> i64 {
    number(revision) * POSITIONS + position
}

/// The columns `id, key, created, lease, value` as the version of a key that they are.
fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let id: i64 = row.get(0)?;
    let text = row.get_ref(1)?.as_str()?;
    let key =
        Key::new(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))?;
    let mod_revision = revision(id / POSITIONS);
    Ok(match row.get_ref(4)?.as_blob_or_null()? {
        None => Change::Delete { key, revision: mod_revision },
        Some(value) => Change::Put(Entry {
            key,
            value: Bytes::copy_from_slice(value),
            create_revision: revision(row.get(2)?),
            mod_revision,
            lease: row.get::<_, Option<i64>>(3)?.map(|lease| LeaseId(lease.unsigned_abs())),
        }),
    })
}

/// The present version of `key`.
pub(super) fn get(connection: &Connection, key: &Key) -> rusqlite::Result<Option<Entry>> {
    let sql = "SELECT id, key, created, lease, value FROM versions WHERE superseded IS NULL AND key = ?1";
    let found = connection.prepare_cached(sql)?.query_row([key.as_str()], change).optional()?;
    Ok(match found {
        Some(Change::Put(entry)) => Some(entry),
        Some(Change::Delete { .. }) | None => None,
    })
}

/// One page of a list.
pub(super) fn list(
    connection: &Connection,
    prefix: &Prefix,
    limit: usize,
    from: Option<&Continue>,
) -> Result<Page, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let horizon = Horizon::read(&snapshot)?;
    let at = from.map_or(horizon.revision, |from| from.at);
    horizon.reaches(at)?;
    let sql = if at == horizon.revision {
        "SELECT id, key, created, lease, value FROM versions
         WHERE superseded IS NULL AND key > ?1 AND key < ?2 AND ?3 = ?3 AND ?4 = ?4
         ORDER BY key LIMIT ?5"
    } else {
        "SELECT id, key, created, lease, value FROM versions
         WHERE superseded IS NULL AND key > ?1 AND key < ?2 AND id < ?3 AND ?4 = ?4
         UNION ALL
         SELECT id, key, created, lease, value FROM versions
         WHERE superseded > ?4 AND key > ?1 AND key < ?2 AND id < ?3 AND value IS NOT NULL
         ORDER BY key LIMIT ?5"
    };
    let lower = from.map_or(prefix.as_str(), |from| from.after.as_str());
    let limit = limit.max(1);
    let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut entries: Vec<Entry> = Vec::new();
    let mut bytes = 0;
    let mut next = None;
    {
        let mut statement = snapshot.prepare_cached(sql)?;
        let mut rows = statement.query(params![lower, prefix.end(), row_id(at.next(), 0), number(at), one_more])?;
        while let Some(row) = rows.next()? {
            let Change::Put(entry) = change(row)? else { continue };
            if let Some(last) = entries.last().filter(|_| entries.len() >= limit || bytes >= READ_BYTES) {
                next = Some(Continue { after: last.key.clone(), at });
                break;
            }
            bytes += entry.value.len();
            entries.push(entry);
        }
    }
    Ok(Page { entries, revision: at, next })
}

/// What happened under `prefix` after `after`; the last batch names the revision up to which this was read.
pub(super) fn changes(connection: &Connection, prefix: &Prefix, after: Revision) -> Result<Vec<WatchBatch>, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let horizon = Horizon::read(&snapshot)?;
    horizon.reaches(after)?;
    let mut batches: Vec<WatchBatch> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    // The unary plus keeps SQLite from walking the keys instead of the log.
    let sql = "SELECT id, key, created, lease, value FROM versions
               WHERE id >= ?1 AND +key > ?2 AND +key < ?3 ORDER BY id";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query(params![row_id(after.next(), 0), prefix.as_str(), prefix.end()])?;
    while let Some(row) = rows.next()? {
        let change = change(row)?;
        let at = match &change {
            Change::Put(entry) => entry.mod_revision,
            Change::Delete { revision, .. } => *revision,
        };
        count += 1;
        if let Change::Put(entry) = &change {
            bytes += entry.value.len();
        }
        match batches.last_mut() {
            Some(batch) if batch.revision == at => batch.changes.push(change),
            Some(_) if count > READ_CHANGES || bytes > READ_BYTES => return Ok(batches),
            _ => batches.push(WatchBatch { revision: at, changes: vec![change] }),
        }
    }
    if batches.last().is_none_or(|batch| batch.revision < horizon.revision) {
        batches.push(WatchBatch { revision: horizon.revision, changes: Vec::new() });
    }
    Ok(batches)
}
