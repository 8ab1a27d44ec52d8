//! The handle to the journal.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use nodepanel_types::{Millis, NodeId, ServerId, Timestamp, wire::ActivityEntry};
use rusqlite::TransactionBehavior::{self, Deferred, Immediate};
use tokio::sync::oneshot;

use super::{desk::Desk, rows};
use crate::StoreError;

/// Requests that may wait for the disk.
const WAITING: usize = 256;
/// How long one is waited for. What is being written then is written all the same, and once.
const DEADLINE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// How much of the past is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// The most entries, of all nodes together.
    pub entries: u64,
    /// The age at which an entry goes, in milliseconds.
    pub age_ms: Millis,
}

impl Default for JournalLimits {
    /// 200,000 entries, some 60 MB, and a year.
    fn default() -> Self {
        Self { entries: 200_000, age_ms: 365 * 24 * 60 * 60 * 1_000 }
    }
}

/// How far a node's journal is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The number of the last entry.
    pub n: u64,
    /// Its time: another entry with the number has another.
    pub at: Timestamp,
}

/// What came from a node.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Which node.
    pub node: NodeId,
    /// With the first entries of a stream: the number at which it begins. When it is beyond the next that was expected,
    /// what is missing is noted.
    pub begins_at: Option<u64>,
    /// Entries in the order of their numbers, without a hole.
    pub entries: Vec<ActivityEntry>,
    /// When they came.
    pub heard: Timestamp,
}

/// The journal of this host; cheap to clone. Its file is closed when the last handle is gone.
#[derive(Debug, Clone)]
pub struct Journal {
    path: Arc<PathBuf>,
    jobs: SyncSender<Job>,
    limits: JournalLimits,
}

impl Journal {
    /// The journal in the file at `path`, which is opened, or made, when it is first needed: a journal that cannot be
    /// used is told by those calls, and keeps nobody from starting.
    pub fn at(path: impl Into<PathBuf>, limits: JournalLimits) -> Result<Self, StoreError> {
        let path = path.into();
        let mut desk = Desk::new(path.clone());
        let (jobs, queue) = sync_channel::<Job>(WAITING);
        let work = move || queue.iter().for_each(|job| job(&mut desk));
        let spawned = thread::Builder::new().name("journal".into()).spawn(work);
        spawned.map_err(|error| StoreError::Unavailable { reason: format!("no thread could be started: {error}") })?;
        Ok(Self { path: Arc::new(path), jobs, limits })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How far the node's journal is known here; `None` when nothing ever came from it.
    pub async fn position(&self, node: NodeId) -> Result<Option<Position>, StoreError> {
        self.ask(Deferred, move |transaction| rows::position(transaction, node)).await
    }

    /// Takes in what a node delivered; what is here already stays as it is.
    pub async fn append(&self, delivered: Delivered) -> Result<(), StoreError> {
        let limits = self.limits;
        self.ask(Immediate, move |transaction| rows::append(transaction, &delivered, limits)).await
    }

    /// What happened to a server, newest first, at most `limit`.
    pub async fn of_server(&self, server: ServerId, limit: u32) -> Result<Vec<ActivityEntry>, StoreError> {
        self.ask(Deferred, move |transaction| rows::of_server(transaction, server, limit)).await
    }

    /// What happened on a node, newest first, at most `limit`.
    pub async fn of_node(&self, node: NodeId, limit: u32) -> Result<Vec<ActivityEntry>, StoreError> {
        self.ask(Deferred, move |transaction| rows::of_node(transaction, node, limit)).await
    }

    async fn ask<T, F>(&self, behavior: TransactionBehavior, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |desk| {
            // Whoever asked may have gone.
            let _ = reply.send(desk.work(behavior, work));
        });
        let stopped = || StoreError::Unavailable { reason: "the journal's thread has stopped".into() };
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                StoreError::Unavailable { reason: format!("{WAITING} requests wait for the journal already") }
            }
            TrySendError::Disconnected(_) => stopped(),
        })?;
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(stopped()),
            Err(_) => Err(StoreError::Timeout { after: DEADLINE, waiting_for: "the disk that holds the journal" }),
        }
    }
}
