//! [`SqliteBackend`]: the three threads behind the [`Backend`] trait.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    SqliteOptions, file,
    glance::Glance,
    reader::Reader,
    rows::{self, Horizon, ReadError},
    schema,
    writer::Writer,
};
use crate::{
    Backend, CommitError, Committed, Continue, Entry, Key, LeaseId, Page, Prefix, Revision, StoreError, Transaction,
    Watch, WatchBatch,
    tail::{self, ChangeLog},
};

/// The store in a SQLite file, which several processes of one host may have open.
pub struct SqliteBackend {
    path: PathBuf,
    writer: Writer,
    reader: Reader,
    glance: Arc<Glance>,
    tail: Arc<TailHandle>,
}

struct TailHandle {
    reader: Reader,
    head: watch::Receiver<Revision>,
    watchers: Arc<AtomicUsize>,
}

impl SqliteBackend {
    /// Opens the store and creates it when it does not exist. A file that is damaged, newer than this program or
    /// not a store is refused and left exactly as it is. Blocks for as long as it takes to check the file.
    pub fn open(options: &SqliteOptions) -> Result<Self, StoreError> {
        let path = options.path.clone();
        file::create_missing(&path, options.deadline)?;
        file::inspect(&path, options.deadline)?;
        let connection = schema::open_writer(&path, options.deadline, options.quota_bytes)?;
        let reader = schema::open_reader(&path, options.deadline)?;
        let tail = schema::open_reader(&path, options.deadline)?;
        let now = Horizon::read(&reader).map_err(|error| super::failure::meaning(&error, &path, options.deadline))?;

        let (head, follower) = watch::channel(now.revision);
        let glance = Arc::new(Glance::new(schema::open_reader(&path, Duration::ZERO)?, head.clone()));
        let watchers = Arc::new(AtomicUsize::new(0));
        let tail =
            Reader::start_tail(tail, path.clone(), options.deadline, Arc::clone(&glance), Arc::clone(&watchers))?;
        Ok(Self {
            writer: Writer::start(connection, options, head, now.revision)?,
            reader: Reader::start(reader, path.clone(), options.deadline)?,
            glance,
            tail: Arc::new(TailHandle { reader: tail, head: follower, watchers }),
            path,
        })
    }

    /// Reads the store at `path` through and says what is wrong with it. Changes nothing, and may be called while no
    /// process has it open. Blocks for as long as reading the file takes.
    pub fn inspect(path: &Path) -> Result<(), StoreError> {
        file::inspect(path, SqliteOptions::new(path).deadline)
    }

    /// Opens the store without blocking the calling task.
    pub async fn open_async(options: SqliteOptions) -> Result<Self, StoreError> {
        tokio::task::spawn_blocking(move || Self::open(&options)).await.unwrap_or_else(|error| {
            Err(StoreError::Unavailable { reason: format!("opening the store was interrupted: {error}") })
        })
    }

    /// Gives up history up to `target` at once, instead of when it is old enough. Watches and paged lists that
    /// still need it get [`StoreError::Compacted`].
    pub async fn compact(&self, target: Revision) -> Result<(), StoreError> {
        self.writer
            .write(move |batch| {
                let target = target.min(batch.revision);
                batch.compact(target, usize::MAX)?;
                Ok(Ok(()))
            })
            .await
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for SqliteBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteBackend").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    async fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.reader.read(|connection| Ok(Horizon::read(connection)?)).await?.revision)
    }

    async fn newest(&self) -> Option<Revision> {
        self.glance.look().ok().map(|(revision, _)| revision)
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let key = key.clone();
        self.reader.read(move |connection| rows::get(connection, &key).map_err(ReadError::from)).await
    }

    async fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError> {
        let (prefix, from) = (prefix.clone(), from.cloned());
        self.reader.read(move |connection| rows::list(connection, &prefix, limit, from.as_ref())).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        transaction.validate()?;
        self.writer.write(move |batch| batch.apply(&transaction)).await
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        tail::follow(Subscription::new(Arc::clone(&self.tail)), prefix.clone(), after).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.writer.write(move |batch| batch.lease_grant(ttl).map(Ok)).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.writer
            .write(move |batch| {
                let alive = batch.lease_keep_alive(lease)?;
                Ok(if alive { Ok(()) } else { Err(StoreError::LeaseNotFound { lease }) })
            })
            .await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.writer.write(move |batch| batch.lease_end(lease).map(Ok)).await
    }
}

/// One watch; the tail looks for other processes' commits while at least one exists.
struct Subscription(Arc<TailHandle>);

impl Subscription {
    fn new(tail: Arc<TailHandle>) -> Self {
        tail.watchers.fetch_add(1, Ordering::AcqRel);
        Self(tail)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl ChangeLog for Subscription {
    async fn read(&self, prefix: &Prefix, after: Revision) -> Result<Vec<WatchBatch>, StoreError> {
        let prefix = prefix.clone();
        self.0.reader.read(move |connection| rows::changes(connection, &prefix, after)).await
    }

    async fn grown(&self, revision: Revision) {
        let mut head = self.0.head.clone();
        if head.wait_for(|head| *head > revision).await.is_err() {
            // The threads are gone; the next read says so.
            std::future::pending::<()>().await;
        }
    }
}
