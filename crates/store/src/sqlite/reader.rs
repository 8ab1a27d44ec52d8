//! Threads that read: one for requests, one that follows the change log.
//!
//! The second one also notices what other processes commit, by a glance every few milliseconds while somebody watches:
//! cheaper than it sounds (under one per cent of a core), and unlike a file notification it fires after the commit is
//! visible.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{failure, glance::Glance, rows::ReadError};
use crate::StoreError;

/// Requests that may wait for one thread.
const WAITING: usize = 1_024;
/// How often the change log is looked at while things happen ...
const ALERT: Duration = Duration::from_millis(2);
/// ... and when nothing has happened for a while ...
const DROWSY: Duration = Duration::from_millis(10);
const DROWSY_AFTER: Duration = Duration::from_secs(10);
/// ... and when nobody watches.
const ASLEEP: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The handle of a reading thread; the thread ends when it is dropped.
pub(super) struct Reader {
    jobs: SyncSender<Job>,
    path: PathBuf,
    deadline: Duration,
}

impl Reader {
    /// Starts a thread that answers requests.
    pub(super) fn start(connection: Connection, path: PathBuf, deadline: Duration) -> Result<Self, StoreError> {
        Self::spawn("store-reader", path, deadline, move |queue| {
            while let Ok(job) = queue.recv() {
                job(&connection);
            }
        })
    }

    /// Starts a thread that also glances at what other processes have committed, while anybody watches.
    pub(super) fn start_tail(
        connection: Connection,
        path: PathBuf,
        deadline: Duration,
        glance: Arc<Glance>,
        watchers: Arc<AtomicUsize>,
    ) -> Result<Self, StoreError> {
        Self::spawn("store-tail", path, deadline, move |queue| {
            Tail { connection, glance, watchers, changed_at: Instant::now() }.follow(&queue);
        })
    }

    fn spawn(
        name: &str,
        path: PathBuf,
        deadline: Duration,
        body: impl FnOnce(Receiver<Job>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(WAITING);
        let spawned = thread::Builder::new().name(name.into()).spawn(move || body(queue));
        spawned.map_err(|error| StoreError::Unavailable { reason: format!("no thread could be started: {error}") })?;
        Ok(Self { jobs, path, deadline })
    }

    /// Asks the thread a question.
    pub(super) async fn read<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have given up: then the work is saved.
            if !reply.is_closed() {
                let _ = reply.send(question(connection));
            }
        });
        self.jobs.try_send(job).map_err(|error| StoreError::Unavailable {
            reason: match error {
                TrySendError::Full(_) => format!("{WAITING} reads wait already"),
                TrySendError::Disconnected(_) => "a reader of the store has stopped".into(),
            },
        })?;
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(Ok(found))) => Ok(found),
            Ok(Ok(Err(ReadError::Store(error)))) => Err(error),
            Ok(Ok(Err(ReadError::Sqlite(error)))) => Err(failure::meaning(&error, &self.path, self.deadline)),
            Ok(Err(_)) => Err(StoreError::Unavailable { reason: "a reader of the store has stopped".into() }),
            Err(_) => Err(StoreError::Timeout { after: self.deadline, waiting_for: "the disk" }),
        }
    }
}

struct Tail {
    connection: Connection,
    glance: Arc<Glance>,
    watchers: Arc<AtomicUsize>,
    changed_at: Instant,
}

impl Tail {
    fn follow(mut self, queue: &Receiver<Job>) {
        loop {
            let watched = self.watchers.load(Ordering::Acquire) > 0;
            let pause = match watched {
                false => ASLEEP,
                true if self.changed_at.elapsed() > DROWSY_AFTER => DROWSY,
                true => ALERT,
            };
            match queue.recv_timeout(pause) {
                Ok(job) => job(&self.connection),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // A failure here shows in the reads that every watch makes once a second.
            if watched && matches!(self.glance.look(), Ok((_, true))) {
                self.changed_at = Instant::now();
            }
        }
    }
}
