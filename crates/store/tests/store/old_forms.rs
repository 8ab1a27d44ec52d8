//! Files as earlier versions wrote them (`fixtures/schema-*.sql`): this one opens each and reads all that is in it.

use std::path::Path;

use nodepanel_store::{Backend as _, Change, Prefix, Revision, SqliteBackend, SqliteOptions, Transaction};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::harness::{key, next_batch, prefix};

const SCHEMA_1: &str = include_str!("../../fixtures/schema-1.sql");

/// What makes a file's schema, one statement each, without regard to spaces.
fn schema(path: &Path) -> (i64, i64, Vec<String>) {
    let connection = Connection::open(path).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let mut statements = connection.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").unwrap();
    let statements = statements.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let in_one_line = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let statements = statements.map(|sql| in_one_line(sql.unwrap())).collect();
    (number("PRAGMA application_id"), number("PRAGMA user_version"), statements)
}

#[tokio::test]
async fn schema_1_is_opened_and_read() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    Connection::open(&path).unwrap().execute_batch(SCHEMA_1).unwrap();

    let store = SqliteBackend::open(&SqliteOptions::new(&path)).unwrap();
    assert_eq!(store.revision().await.unwrap(), Revision(6));
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    let page = store.list(&prefix("/a/"), 10, None).await.unwrap();
    let entries: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.key.as_str(), text(&entry.value), entry.create_revision.0, entry.mod_revision.0))
        .collect();
    assert_eq!(entries, [("/a/1", "changed".to_owned(), 1, 3), ("/a/2", "second".to_owned(), 1, 1)]);
    let leased = store.get(&key("/leased/1")).await.unwrap().unwrap();
    assert_eq!((text(&leased.value), leased.lease.map(|lease| lease.0)), ("alive".to_owned(), Some(1)));

    // History is there as well, and goes on.
    let mut watch = store.watch(&Prefix::everything(), Revision(3)).await.unwrap();
    let batch = next_batch(&mut watch).await;
    assert_eq!(batch.changes, [Change::Delete { key: key("/a/3"), revision: Revision(4) }]);
    let written = store.commit(Transaction::new().put(key("/a/3"), "again")).await.unwrap();
    assert!(written.revision > Revision(6));
}

/// A released migration is not edited: what it makes of nothing is what the fixture says.
#[test]
fn schema_1_is_what_was_released() {
    let directory = TempDir::new().unwrap();
    let (old, new) = (directory.path().join("old.db"), directory.path().join("new.db"));
    Connection::open(&old).unwrap().execute_batch(SCHEMA_1).unwrap();
    drop(SqliteBackend::open(&SqliteOptions::new(&new)).unwrap());
    let new = schema(&new);
    // With a second schema there is a second fixture, which takes this place.
    assert_eq!(schema(&old), new);
}
