//! Files that are damaged, foreign, too new, full, readable to others, or gone.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use nodepanel_store::{
    Backend, BootClock, CommitError, Expected, HostClock, Prefix, SqliteBackend, SqliteOptions, StoreError, Transaction,
};
use tempfile::TempDir;

use crate::harness::{eventually, key};

fn place() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("data/store.db");
    (dir, path)
}

fn open(path: &Path) -> Result<SqliteBackend, StoreError> {
    SqliteBackend::open(&SqliteOptions::new(path))
}

async fn put(store: &SqliteBackend, name: &str, value: Vec<u8>) -> Result<(), CommitError> {
    store.commit(Transaction::new().put(key(name), value)).await.map(drop)
}

/// Closes a store, waits until its threads have let go of the file, and sees to it that everything is in that.
async fn close(store: SqliteBackend) {
    let path = fs::canonicalize(store.path()).unwrap();
    drop(store);
    eventually("the last connection lets go of the file", || async { !is_open(&path) }).await;
    // Of two connections that are closed at the same instant each may leave the log to the other.
    let last = rusqlite::Connection::open(&path).unwrap();
    last.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// Whether this process has a file open.
fn is_open(path: &Path) -> bool {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
    descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| target == path)
}

#[tokio::test]
async fn the_store_is_private_and_survives_a_reopening() {
    let (_dir, path) = place();
    let store = open(&path).unwrap();
    put(&store, "/a/1", b"x".to_vec()).await.unwrap();
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    for file in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(fs::metadata(path.with_file_name(file)).unwrap().mode() & 0o777, 0o600, "{file}");
    }
    close(store).await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(&store.get(&key("/a/1")).await.unwrap().unwrap().value[..], b"x");
    assert_eq!(store.revision().await.unwrap().0, 1);
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    let (_dir, path) = place();
    let store = open(&path).unwrap();
    for n in 0..200 {
        put(&store, &format!("/a/{n}"), vec![b'x'; 1_000]).await.unwrap();
    }
    close(store).await;
    let sound = fs::read(&path).unwrap();
    let middle = sound.len() / 2;
    let mut scrambled = sound.clone();
    scrambled[middle..middle + 8_192].fill(0xa5);
    let mut beheaded = sound.clone();
    beheaded[..100].fill(0);
    let shortened = sound[..middle].to_vec();
    for (what, bytes) in
        [("scrambled", scrambled), ("beheaded", beheaded), ("shortened", shortened), ("emptied", Vec::new())]
    {
        fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path), "{what}: {error:?}");
        assert!(error.to_string().contains("restore the last backup"), "{error}");
        assert!(fs::read(&path).unwrap() == bytes, "{what}: the file was changed");
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(open(&path).unwrap().revision().await.unwrap().0, 200);
}

#[tokio::test]
async fn many_may_create_the_same_store_at_once() {
    let (_dir, path) = place();
    let opening: Vec<_> = (0..6).map(|_| tokio::spawn(SqliteBackend::open_async(SqliteOptions::new(&path)))).collect();
    for (n, opened) in opening.into_iter().enumerate() {
        put(&opened.await.unwrap().unwrap(), &format!("/a/{n}"), b"x".to_vec()).await.unwrap();
    }
    assert_eq!(open(&path).unwrap().revision().await.unwrap().0, 6);
    let names = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let drafts: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".new-")).collect();
    assert!(drafts.is_empty(), "{drafts:?}");
}

#[tokio::test]
async fn a_newer_schema_and_a_foreign_database_are_refused() {
    let (_dir, path) = place();
    close(open(&path).unwrap()).await;
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let before = fs::read(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error:?}");
    assert!(fs::read(&path).unwrap() == before);

    let foreign = path.with_file_name("other.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .unwrap();
    let before = fs::read(&foreign).unwrap();
    assert_eq!(open(&foreign).unwrap_err(), StoreError::NotAStore { path: foreign.clone() });
    assert!(fs::read(&foreign).unwrap() == before);
}

/// Writes until the store says that the disk is full; answers how many writes were acknowledged.
async fn fill(store: &SqliteBackend, keys: usize) -> usize {
    let mut stored = 0;
    loop {
        match put(store, &format!("/a/{}", stored % keys), vec![b'x'; 100_000]).await {
            Ok(()) => stored += 1,
            Err(error) => {
                assert_eq!(error, StoreError::DiskFull.into());
                return stored;
            }
        }
    }
}

#[tokio::test]
async fn a_full_quota_stops_writes_only_and_ends_when_history_goes() {
    let (_dir, path) = place();
    let mut options = SqliteOptions::new(&path);
    options.quota_bytes = Some(2 * 1024 * 1024);
    let store = SqliteBackend::open(&options).unwrap();
    let stored = fill(&store, 3).await;
    assert!(stored > 10, "{stored}");
    let page = store.list(&Prefix::everything(), 100, None).await.unwrap();
    assert_eq!((page.entries.len(), page.revision.0), (3, stored as u64));
    store.compact(page.revision).await.unwrap();
    assert!(fill(&store, 3).await > 10);
}

/// A small file system of its own, which only root can have.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(dir.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_writes_only_and_ends_by_itself() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: only root can mount a small disk");
        return;
    };
    let store = open(&disk.0.path().join("store.db")).unwrap();
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![0; 3 * 1024 * 1024]).unwrap();
    let stored = fill(&store, 1_000).await;
    for n in 0..stored {
        assert!(store.get(&key(&format!("/a/{n}"))).await.unwrap().is_some());
    }
    assert_eq!(store.revision().await.unwrap().0, stored as u64);
    fs::remove_file(&ballast).unwrap();
    put(&store, "/a/again", vec![b'x'; 100_000]).await.unwrap();
    assert_eq!(store.revision().await.unwrap().0, stored as u64 + 1);
}

#[tokio::test]
async fn a_store_that_was_moved_away_takes_no_more_writes() {
    let (_dir, path) = place();
    let store = open(&path).unwrap();
    put(&store, "/a/1", b"x".to_vec()).await.unwrap();
    fs::rename(&path, path.with_extension("old")).unwrap();
    let error = put(&store, "/a/2", b"x".to_vec()).await.unwrap_err();
    assert!(matches!(error, CommitError::Store(StoreError::Unavailable { .. })), "{error:?}");
    assert!(store.get(&key("/a/1")).await.unwrap().is_some());
}

/// A boot clock that a test moves.
struct TestClock(Mutex<(Duration, String)>);

impl TestClock {
    fn set(&self, since_boot: u64, boot: &str) {
        *self.0.lock().unwrap() = (Duration::from_secs(since_boot), boot.to_owned());
    }
}

impl HostClock for TestClock {
    fn since_boot(&self) -> Duration {
        self.0.lock().unwrap().0
    }

    fn boot_id(&self) -> String {
        self.0.lock().unwrap().1.clone()
    }
}

#[tokio::test]
async fn after_a_reboot_a_lease_has_its_full_time_again() {
    let (_dir, path) = place();
    let clock = Arc::new(TestClock(Mutex::new((Duration::from_secs(1_000_000), "first".into()))));
    let mut options = SqliteOptions::new(&path);
    options.clock = clock.clone();
    let store = SqliteBackend::open(&options).unwrap();
    let lease = store.lease_grant(Duration::from_secs(30)).await.unwrap();
    let held = Transaction::new().when(key("/l/1"), Expected::Absent).put_leased(key("/l/1"), "me", lease);
    store.commit(held).await.unwrap();
    close(store).await;

    // The new boot's clock starts near zero: judged by the old deadline the lease would last for eleven days.
    clock.set(50, "second");
    let store = SqliteBackend::open(&options).unwrap();
    store.lease_keep_alive(lease).await.unwrap();
    clock.set(79, "second");
    store.lease_keep_alive(lease).await.unwrap();
    clock.set(110, "second");
    eventually("the lease ends", || async { store.get(&key("/l/1")).await.unwrap().is_none() }).await;
}

#[test]
fn the_boot_clock_advances_and_knows_its_boot() {
    let before = BootClock.since_boot();
    assert!(before > Duration::ZERO);
    assert!(BootClock.since_boot() >= before);
    assert_eq!(BootClock.boot_id(), BootClock.boot_id());
}
