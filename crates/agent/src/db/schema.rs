//! The tables, and how older forms become the present one.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rusqlite::Connection;

use super::DbError;

/// The format that this version writes (`PRAGMA user_version`).
const FORMAT: u32 = 1;

const TABLES: &str = "
CREATE TABLE servers (
    id         TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    desired    TEXT,               -- JSON; NULL once the server is removed
    progress   TEXT,               -- JSON; NULL before anything was done, and once the server is removed
    uid        INTEGER UNIQUE,     -- the server's own user; never given out twice
    removed    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE keys (
    server TEXT NOT NULL, key TEXT NOT NULL, line INTEGER, at INTEGER NOT NULL,
    PRIMARY KEY (server, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_age ON keys (at);
CREATE TABLE activity (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, server TEXT, kind TEXT NOT NULL, text TEXT NOT NULL, took_ms INTEGER,
    automatic INTEGER NOT NULL
) STRICT;
CREATE INDEX activity_by_server ON activity (server, n);
CREATE TABLE minutes (
    server TEXT NOT NULL, minute INTEGER NOT NULL, sample BLOB NOT NULL,
    PRIMARY KEY (server, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX minutes_by_age ON minutes (minute);
";

/// Came later than the format, and is made where it is missing. A build that does not know it takes the key of a
/// refusal for one whose command may have been typed, and does not type it either.
const ADDED: &str = "
CREATE TABLE IF NOT EXISTS refusals (
    server TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (server, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refusals_by_age ON refusals (at);
";

/// The most pages of 4 KiB that the file may have: 1 GiB. Only statistics come near it, and give way.
pub(super) const PAGES: u32 = 262_144;

/// Keeps the records from games, which can reach their own directories below the same one. `SQLite` gives its other
/// files the same mode. What goes wrong here goes wrong again when the file is opened, and is told there.
fn make_private(path: &Path) {
    let file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let _ = file.and_then(|file| file.set_permissions(std::fs::Permissions::from_mode(0o600)));
}

pub(super) fn open(path: &Path, first_uid: u32, pages: u32) -> Result<Connection, DbError> {
    let unusable = |source| DbError::from_sqlite(path.to_owned(), source);
    make_private(path);
    let mut connection = Connection::open(path).map_err(unusable)?;
    prepare(&mut connection, path, first_uid, pages)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path, first_uid: u32, pages: u32) -> Result<(), DbError> {
    let unusable = |source| DbError::from_sqlite(path.to_owned(), source);
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
             PRAGMA cache_size = -1024; PRAGMA journal_size_limit = 4194304;",
        )
        .map_err(unusable)?;
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(unusable)?;
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(unusable)?;
    if found > FORMAT {
        return Err(DbError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    if found == 0 {
        let transaction = connection.transaction().map_err(unusable)?;
        transaction.execute_batch(TABLES).map_err(unusable)?;
        transaction
            .execute("INSERT INTO counters (name, value) VALUES ('next_uid', ?1)", [first_uid])
            .map_err(unusable)?;
        transaction.pragma_update(None, "user_version", FORMAT).map_err(unusable)?;
        transaction.commit().map_err(unusable)?;
    }
    connection.execute_batch(ADDED).map_err(unusable)?;
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(unusable)?;
    if sound != "ok" {
        let source =
            rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(sound));
        return Err(DbError::Damaged { path: path.to_owned(), source });
    }
    Ok(())
}
