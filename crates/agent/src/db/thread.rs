//! Who owns the connection and does the work, and the handle that others use.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::{DbError, minutes, schema};

/// Pieces of work that may wait for the disk. Who adds one more waits for room.
const QUEUE: usize = 256;
/// How often a database in trouble is tried.
const TRIES: Duration = Duration::from_secs(1);

type Work = Box<dyn FnOnce(&mut Desk) + Send>;

/// Does the work of one database, one piece after the other, each on the disk when it is done; ends when the last handle
/// is gone. Dropped before, what still waits is told that the database is closed.
pub struct DbWorker {
    desk: Desk,
    work: mpsc::Receiver<Work>,
}

/// A handle to the database; cheap to clone. The database is closed when the last one is gone.
#[derive(Debug, Clone)]
pub struct Db {
    work: mpsc::Sender<Work>,
    trouble: watch::Sender<Option<String>>,
}

/// What the thread has. Without a connection it opens one for the next work.
struct Desk {
    path: PathBuf,
    first_uid: u32,
    pages: u32,
    connection: Option<Connection>,
    log: Log,
}

/// What is known of the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    /// Every write and sync succeeded since it was begun.
    Sound,
    /// One failed: a page of it may not be on the disk, and what was refused may be.
    Suspect,
}

/// What a piece of work does with a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    /// Makes room and tries again.
    MakeRoom,
    /// Gives up.
    GiveUp,
}

impl Db {
    /// Opens the database at `path`, or creates one whose first server gets the user `first_uid`. Blocks for as long as
    /// that takes. Nothing is done with it before its worker is put to work.
    pub fn open(path: &Path, first_uid: u32) -> Result<(Self, DbWorker), DbError> {
        Self::open_bounded(path, first_uid, schema::PAGES)
    }

    /// The same, with at most `pages` pages of 4 KiB.
    pub(super) fn open_bounded(path: &Path, first_uid: u32, pages: u32) -> Result<(Self, DbWorker), DbError> {
        let connection = Some(schema::open(path, first_uid, pages)?);
        let desk = Desk { path: path.to_owned(), first_uid, pages, connection, log: Log::Sound };
        let (sender, receiver) = mpsc::channel::<Work>(QUEUE);
        let worker = DbWorker { desk, work: receiver };
        Ok((Self { work: sender, trouble: watch::Sender::new(None) }, worker))
    }

    /// What is wrong with the database at present, in words; `None` while it can be written.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Follows [`Db::trouble`].
    pub fn troubles(&self) -> watch::Receiver<Option<String>> {
        self.trouble.subscribe()
    }

    /// Returns when the database can be written again. Tries it every second: nobody else may have anything to write.
    pub async fn until_sound(&self) {
        while self.trouble().is_some() {
            tokio::time::sleep(TRIES).await;
            // The same value, and all the same a write, for which no statistics are to go. What goes wrong stays the
            // trouble.
            let _ = self
                .transact_in_free_room(|transaction| {
                    transaction.execute("UPDATE counters SET value = value", []).map(drop)
                })
                .await;
        }
    }

    /// Runs `work` in a transaction on the database's thread, a second time when room had to be made for it. It is done,
    /// on disk, when this returns `Ok`; when the caller is cancelled it is done all the same.
    pub(super) async fn transact<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write(Full::MakeRoom, work).await
    }

    /// The same for what is not worth making room for.
    pub(super) async fn transact_in_free_room<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write(Full::GiveUp, work).await
    }

    async fn write<T, F>(&self, full: Full, mut work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnMut(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.ask(move |desk| desk.write(full, &mut work)).await;
        self.learn(&result, true);
        result
    }

    /// Looks something up. That it can be read says nothing of whether it can be written.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let result = self.ask(move |desk| desk.run(TransactionBehavior::Deferred, work)).await;
        self.learn(&result, false);
        result
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let (reply, answer) = oneshot::channel();
        // Nobody may wait for the answer any more: the work is done all the same.
        let job: Work = Box::new(move |desk| drop(reply.send(work(desk))));
        self.work.send(job).await.map_err(|_| DbError::Closed)?;
        answer.await.map_err(|_| DbError::Closed)?
    }

    fn learn<T>(&self, result: &Result<T, DbError>, written: bool) {
        let now = match result {
            Ok(_) if written => None,
            Ok(_) | Err(DbError::Closed) => return,
            Err(error) => Some(error.in_full()),
        };
        self.trouble.send_if_modified(|trouble| {
            let changed = *trouble != now;
            match &now {
                Some(error) if changed => tracing::error!(error, "The agent's database cannot be used"),
                None if changed => tracing::info!("The agent's database can be used again"),
                _ => {}
            }
            *trouble = now;
            changed
        });
    }
}

impl DbWorker {
    /// Works on a thread of its own, so that nobody but who asks waits for the disk.
    pub fn on_thread(mut self) -> Result<(), DbError> {
        let work = move || {
            while let Some(work) = self.work.blocking_recv() {
                work(&mut self.desk);
            }
        };
        let thread = std::thread::Builder::new().name("agent-db".to_owned()).spawn(work);
        thread.map(drop).map_err(|source| DbError::NoThread { source })
    }

    /// Works where it is awaited, which blocks whoever runs there; each piece of work is begun when `latency` is over.
    /// For simulated time, which does not wait for other threads.
    pub async fn in_place<L: Future<Output = ()>>(mut self, latency: impl Fn() -> L) {
        while let Some(work) = self.work.recv().await {
            latency().await;
            work(&mut self.desk);
        }
    }
}

impl Desk {
    fn write<T>(
        &mut self,
        full: Full,
        work: &mut impl FnMut(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, DbError> {
        let first = self.run(TransactionBehavior::Immediate, &mut *work);
        if matches!(first, Err(DbError::Full { .. })) && full == Full::MakeRoom && self.make_room() {
            return self.run(TransactionBehavior::Immediate, work);
        }
        first
    }

    fn run<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, DbError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(schema::open(&self.path, self.first_uid, self.pages)?),
        };
        let result = (|| {
            // What was committed can be read all the same.
            if self.log == Log::Suspect && !matches!(behavior, TransactionBehavior::Deferred) {
                begin_a_new_log(connection)?;
                self.log = Log::Sound;
            }
            let transaction = connection.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        result.map_err(|source: rusqlite::Error| {
            match source.sqlite_error_code() {
                Some(ErrorCode::SystemIoFailure) => self.log = Log::Suspect,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => self.connection = None,
                _ => {}
            }
            DbError::from_sqlite(self.path.clone(), source)
        })
    }

    /// Lets statistics go, the oldest first. The room that the log takes is used again from its beginning, where the
    /// disk has none to add.
    fn make_room(&mut self) -> bool {
        let Some(connection) = &self.connection else { return false };
        let restart = || connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        let made = restart().and_then(|()| minutes::forget_oldest(connection));
        match made {
            Ok(true) => {
                tracing::warn!(database = %self.path.display(), "The disk is full: the oldest statistics were dropped to make room");
                restart().is_ok()
            }
            Ok(false) | Err(_) => false,
        }
    }
}

/// After a failed write or sync the log may have lost a page that the kernel shows all the same, and with it, at the
/// next start, whatever is appended behind. So what was committed is moved into the database first, and the log begun
/// anew. That takes the connection that met the failure: it knows where the log ends. Another one would find the
/// transaction that failed whole in the log and take it for committed, and what was kept to be written again would be
/// there twice.
fn begin_a_new_log(connection: &Connection) -> rusqlite::Result<()> {
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
    if busy {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    Ok(())
}
