//! Stores to test, and the words that the tests are written in.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nodepanel_store::{
    Backend, Change, EtcdBackend, Key, MemoryBackend, Prefix, Revision, SqliteBackend, SqliteOptions, Transaction,
    Watch, WatchBatch,
};
use tempfile::TempDir;

use crate::cluster::{Cluster, Durability};

/// Longer than anything here takes; a test that waits for this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

enum Kind {
    Memory(MemoryBackend),
    Sqlite(Arc<SqliteBackend>, #[expect(dead_code, reason = "keeps the directory")] TempDir),
    Etcd(EtcdBackend, #[expect(dead_code, reason = "keeps the cluster")] Cluster),
}

/// A fresh store of some kind.
pub struct Subject {
    pub backend: Arc<dyn Backend>,
    kind: Kind,
}

impl Subject {
    pub fn memory() -> Self {
        let memory = MemoryBackend::new();
        Self { backend: Arc::new(memory.clone()), kind: Kind::Memory(memory) }
    }

    pub fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Arc::new(SqliteBackend::open(&SqliteOptions::new(dir.path().join("store.db"))).unwrap());
        Self { backend: store.clone(), kind: Kind::Sqlite(store, dir) }
    }

    pub async fn etcd() -> Self {
        let cluster = Cluster::start(1, Durability::None).await;
        let store = cluster.store("test").await;
        Self { backend: Arc::new(store.clone()), kind: Kind::Etcd(store, cluster) }
    }

    /// Whether each transaction takes a revision, also one that changes nothing.
    pub fn counts_turns(&self) -> bool {
        matches!(self.kind, Kind::Etcd(..))
    }

    pub async fn compact(&self, target: Revision) {
        match &self.kind {
            Kind::Memory(memory) => memory.compact(target),
            Kind::Sqlite(store, _) => store.compact(target).await.unwrap(),
            Kind::Etcd(store, _) => store.compact(target).await.unwrap(),
        }
    }

    pub async fn put(&self, name: &str, value: &str) -> Revision {
        self.backend.commit(Transaction::new().put(key(name), value.to_owned())).await.unwrap().revision
    }

    pub async fn delete(&self, name: &str) -> Revision {
        self.backend.commit(Transaction::new().delete(key(name))).await.unwrap().revision
    }

    /// The value at a key as text.
    pub async fn value(&self, name: &str) -> Option<String> {
        let entry = self.backend.get(&key(name)).await.unwrap()?;
        Some(String::from_utf8(entry.value.to_vec()).unwrap())
    }

    /// Every key under a prefix, read in pages of `limit`.
    pub async fn keys(&self, under: &str, limit: usize) -> Vec<String> {
        let mut page = self.backend.list(&prefix(under), limit, None).await.unwrap();
        let mut keys = Vec::new();
        loop {
            keys.extend(page.entries.iter().map(|entry| entry.key.to_string()));
            match page.next {
                Some(from) => page = self.backend.list(&prefix(under), limit, Some(&from)).await.unwrap(),
                None => return keys,
            }
        }
    }
}

pub fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub fn prefix(name: &str) -> Prefix {
    Prefix::new(name).unwrap()
}

/// The next batch with changes in it.
pub async fn next_batch(watch: &mut Watch) -> WatchBatch {
    let wanted = async {
        loop {
            let batch = watch.next().await.expect("the watch goes on").expect("the watch works");
            if !batch.changes.is_empty() {
                return batch;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wanted).await.expect("a change within the deadline")
}

/// A change in few words: `/a/b=value` or `-/a/b`.
pub fn words(change: &Change) -> String {
    match change {
        Change::Put(entry) => format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value)),
        Change::Delete { key, .. } => format!("-{key}"),
    }
}

pub fn all_words(batch: &WatchBatch) -> Vec<String> {
    batch.changes.iter().map(words).collect()
}

/// Waits until `condition` holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let reached = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "never came true: {what}");
}
