//! The tables, their versions, and how a connection is set up.
//!
//! `PRAGMA user_version` holds the schema version and `application_id` says whose file it is. A migration is one
//! transaction per version; a newer version is refused, never guessed at.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{failure, writer::Patience};
use crate::StoreError;

/// `NPst` in ASCII.
const APPLICATION_ID: i32 = 0x4e50_7374;

/// Migration `n` leads from schema version `n` to `n + 1`.
///
/// In `versions`, the id is `revision * 1024 + position in the revision`, so that the order of the rows is the
/// order of the changes. `superseded` is the revision that ended this version of the key and NULL for the present
/// one. A deletion is a row without value that supersedes itself, so that it is history from its first moment.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE store (
        only_row  INTEGER PRIMARY KEY CHECK (only_row = 1),
        revision  INTEGER NOT NULL,
        compacted INTEGER NOT NULL,
        boot_id   TEXT NOT NULL
    );
    INSERT INTO store VALUES (1, 0, 0, '');
    CREATE TABLE versions (
        id         INTEGER PRIMARY KEY,
        key        TEXT NOT NULL,
        created    INTEGER NOT NULL,
        superseded INTEGER,
        lease      INTEGER,
        value      BLOB
    );
    CREATE UNIQUE INDEX versions_present ON versions (key) WHERE superseded IS NULL;
    CREATE INDEX versions_history ON versions (superseded) WHERE superseded IS NOT NULL;
    CREATE INDEX versions_leased ON versions (lease) WHERE lease IS NOT NULL AND superseded IS NULL;
    CREATE TABLE leases (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        ttl_ms      INTEGER NOT NULL,
        deadline_ms INTEGER NOT NULL
    );
"];

/// The schema version that this program writes.
fn supported() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// What a file says about itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    application_id: i32,
    version: u32,
    tables: u32,
}

impl Found {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            application_id: connection.query_row("PRAGMA application_id", [], |row| row.get(0))?,
            version: connection.query_row("PRAGMA user_version", [], |row| row.get(0))?,
            tables: connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        })
    }

    /// Whether this program may work with the file.
    pub(super) fn acceptable(self, path: &Path) -> Result<(), StoreError> {
        let fresh = self.tables == 0 && self.version == 0;
        if self.application_id != APPLICATION_ID && !fresh {
            Err(StoreError::NotAStore { path: path.to_owned() })
        } else if self.version > supported() {
            Err(StoreError::TooNew { path: path.to_owned(), found: self.version, supported: supported() })
        } else {
            Ok(())
        }
    }
}

/// Opens a connection that may write, and brings the schema up to date.
pub(super) fn open_writer(path: &Path, patience: Duration, quota_bytes: Option<u64>) -> Result<Connection, StoreError> {
    let mut waiting = Patience::new(patience);
    loop {
        let outcome = try_open_writer(path, quota_bytes);
        match outcome {
            Err(error) if failure::is_busy(&error) && waiting.again() => {}
            Err(error) => return Err(failure::meaning(&error, path, patience)),
            Ok((connection, found)) => {
                found.acceptable(path)?;
                return Ok(connection);
            }
        }
    }
}

fn try_open_writer(path: &Path, quota_bytes: Option<u64>) -> rusqlite::Result<(Connection, Found)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(path = %path.display(), mode, "the file system does not allow a write-ahead log");
    }
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864;")?;
    if let Some(bytes) = quota_bytes {
        let page: u64 =
            connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)?;
        connection.query_row(&format!("PRAGMA max_page_count = {}", (bytes / page.max(1)).max(1)), [], |_| Ok(()))?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    let migration = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = Found::read(&migration)?;
    if found.version < supported() && (found.application_id == APPLICATION_ID || found.tables == 0) {
        migration.pragma_update(None, "application_id", APPLICATION_ID)?;
        for sql in MIGRATIONS.iter().skip(found.version as usize) {
            migration.execute_batch(sql)?;
        }
        migration.pragma_update(None, "user_version", supported())?;
        migration.commit()?;
    } else {
        migration.rollback()?;
    }
    let found = Found::read(&connection)?;
    Ok((connection, found))
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path, patience: Duration) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        // Readers of a write-ahead log only ever meet a lock while it is being recovered or removed.
        connection.busy_timeout(Duration::from_millis(500).min(patience))?;
        connection.execute_batch("PRAGMA query_only = ON;")?;
        Ok(connection)
    };
    open().map_err(|error| failure::meaning(&error, path, patience))
}
