//! A disk that loses what was written to it: fsync fails, and the kernel forgets the pages that it could not write.
//!
//! A file system on a sparse file, in a memory file system that gets full, does just that. Only root can have one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nodepanel_store::{Backend, CommitError, SqliteBackend, SqliteOptions, StoreError, Transaction};
use tempfile::TempDir;

use crate::harness::{eventually, key};

struct LosingDisk {
    dir: TempDir,
}

impl LosingDisk {
    /// `None` where that is not allowed.
    fn mount() -> Option<Self> {
        let dir = TempDir::new().unwrap();
        for name in ["outer", "inner"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let disk = Self { dir };
        let outer = disk.outer();
        if !run("mount", &["-t", "tmpfs", "-o", "size=8m", "tmpfs"], &[&outer]) {
            return None;
        }
        let image = outer.join("image");
        fs::File::create(&image).unwrap().set_len(64 * 1024 * 1024).unwrap();
        (run("mkfs.ext2", &["-q", "-F", "-b", "4096"], &[&image]) && disk.insert()).then_some(disk)
    }

    fn outer(&self) -> PathBuf {
        self.dir.path().join("outer")
    }

    fn inner(&self) -> PathBuf {
        self.dir.path().join("inner")
    }

    fn insert(&self) -> bool {
        run("mount", &["-o", "loop"], &[&self.outer().join("image"), &self.inner()])
    }

    /// Takes the disk out, unless somebody has a file of it open: what the kernel has in memory of it is gone.
    fn eject(&self) -> bool {
        run("umount", &[], &[&self.inner()])
    }

    /// From now on writes to new places of the disk are lost.
    fn begin_to_lose(&self) {
        // As much as fits; that the last write is refused is what it is for.
        let _ = fs::write(self.outer().join("ballast"), vec![1; 9 * 1024 * 1024]);
    }

    fn mend(&self) {
        fs::remove_file(self.outer().join("ballast")).unwrap();
    }
}

impl Drop for LosingDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &[&self.inner()]);
        run("umount", &["--lazy"], &[&self.outer()]);
    }
}

fn run(program: &str, arguments: &[&str], paths: &[&Path]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).args(paths).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn open(path: &Path) -> Result<SqliteBackend, StoreError> {
    SqliteBackend::open(&SqliteOptions::new(path))
}

async fn put(store: &SqliteBackend, n: usize) -> Result<(), CommitError> {
    store.commit(Transaction::new().put(key(&format!("/a/{n}")), vec![b'x'; 20_000])).await.map(drop)
}

#[tokio::test]
async fn after_a_failed_sync_what_was_acknowledged_is_on_the_disk_and_writes_come_back() {
    let Some(disk) = LosingDisk::mount() else {
        eprintln!("skipped: only root can mount a disk that loses what is written");
        return;
    };
    let path = disk.inner().join("store.db");
    let store = open(&path).unwrap();
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        put(&store, n).await.unwrap();
        acknowledged.push(n);
    }
    disk.begin_to_lose();
    let mut failed = 0;
    for n in 20..400 {
        match put(&store, n).await {
            Ok(()) => acknowledged.push(n),
            Err(CommitError::Store(
                StoreError::OutcomeUnknown { .. } | StoreError::DiskFull | StoreError::DiskFailing { .. },
            )) => failed += 1,
            Err(other) => panic!("{other:?}"),
        }
        if failed == 5 {
            break;
        }
    }
    assert_eq!(failed, 5, "the disk lost nothing");
    for n in &acknowledged {
        assert!(store.get(&key(&format!("/a/{n}"))).await.unwrap().is_some(), "{n} can be read meanwhile");
    }
    disk.mend();
    eventually("writes come back by themselves", || async { put(&store, 1_000).await.is_ok() }).await;
    acknowledged.push(1_000);

    drop(store);
    eventually("the store is closed", || async { disk.eject() }).await;
    assert!(disk.insert());
    SqliteBackend::inspect(&path).unwrap();
    let store = open(&path).unwrap();
    for n in &acknowledged {
        assert!(store.get(&key(&format!("/a/{n}"))).await.unwrap().is_some(), "{n} was acknowledged");
    }
    drop(store);
    eventually("the store is closed again", || async { disk.eject() }).await;
}
