//! The writer thread: the only connection of this process that changes the file.
//!
//! Requests that wait together are committed together, so that they share an fsync; each is still applied whole or
//! not at all, and is answered only after COMMIT. Other processes write to the same file: the lock is taken with
//! short retries at uneven distances, and a process that finds itself in company rests now and then, because
//! SQLite's lock knows no queue.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::{
    HostClock, SqliteOptions, batch::Batch, failure, file::Identity, leases, maintenance::Retention, rows::Horizon,
};
use crate::{Revision, StoreError};

/// Requests that may wait for the writer at once; more of them wait for a place first.
const WAITING: usize = 256;
/// Requests that share one COMMIT.
const TOGETHER: usize = 64;
/// How much longer than its deadline a begun write is waited for, before its outcome counts as unknown.
const GRACE: Duration = Duration::from_secs(2);
/// How often leases and history are looked at when nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// Rows of history that are removed in one transaction.
const COMPACT_ROWS: usize = 512;
/// In company, a busy writer rests after this long ...
const BUSY_SPELL: Duration = Duration::from_millis(5);
/// ... for this long.
const REST: Duration = Duration::from_micros(500);

/// A request: runs inside a batch, perhaps twice when the batch had to be rolled back, and is answered once.
trait Job: Send {
    fn deadline(&self) -> Instant;
    fn run(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Request<T, E, F> {
    work: F,
    deadline: Instant,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    _place: OwnedSemaphorePermit,
}

impl<T, E, F> Job for Request<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnMut(&mut Batch<'_>) -> rusqlite::Result<Result<T, E>> + Send,
{
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn run(&mut self, batch: &mut Batch<'_>) -> rusqlite::Result<()> {
        self.result = Some((self.work)(batch)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match (failure, self.result) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::Unavailable { reason: "the request was not run".into() }.into()),
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(result);
    }
}

/// The handle of the writer thread; the thread ends when it is dropped.
pub(super) struct Writer {
    jobs: Sender<Box<dyn Job>>,
    places: Arc<Semaphore>,
    deadline: Duration,
}

impl Writer {
    /// Starts the thread on a store that has come to `revision`. `head` is told of every revision that it commits.
    pub(super) fn start(
        connection: Connection,
        options: &SqliteOptions,
        head: watch::Sender<Revision>,
        revision: Revision,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = channel();
        let desk = Desk {
            connection,
            queue,
            head,
            written: revision,
            identity: Identity::of(&options.path),
            path: options.path.clone(),
            patience: options.deadline,
            clock: Arc::clone(&options.clock),
            retention: Retention::new(options.history_age, options.history_revisions),
            next_tick: Instant::now(),
            compacting: false,
            boot_adopted: false,
            neglected: false,
            log: Log::Sound,
            company: None,
            spell: Instant::now(),
        };
        let spawned = thread::Builder::new().name("store-writer".into()).spawn(move || desk.work());
        spawned.map_err(|error| StoreError::Unavailable { reason: format!("no thread could be started: {error}") })?;
        Ok(Self { jobs, places: Arc::new(Semaphore::new(WAITING)), deadline: options.deadline })
    }

    /// Runs `work` inside a durable transaction. Its inner error means that it applied nothing.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&mut Batch<'_>) -> rusqlite::Result<Result<T, E>> + Send + 'static,
    {
        let deadline = Instant::now() + self.deadline;
        let place = tokio::time::timeout(self.deadline, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(
                StoreError::Timeout { after: self.deadline, waiting_for: "a place in the writers' queue" }.into()
            );
        };
        let (reply, answer) = oneshot::channel();
        let request = Request { work, deadline, result: None, reply, _place: place };
        if self.jobs.send(Box::new(request)).is_err() {
            return Err(StoreError::Unavailable { reason: "the store's writer has stopped".into() }.into());
        }
        match tokio::time::timeout_at((deadline + GRACE).into(), answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StoreError::OutcomeUnknown { reason: "the store's writer stopped".into() }.into()),
            Err(_) => Err(StoreError::OutcomeUnknown {
                reason: format!("the disk did not finish a write within {} ms", (self.deadline + GRACE).as_millis()),
            }
            .into()),
        }
    }
}

/// What the thread works with.
struct Desk {
    connection: Connection,
    queue: Receiver<Box<dyn Job>>,
    head: watch::Sender<Revision>,
    /// What this thread committed last; the store being beyond it means company.
    written: Revision,
    path: PathBuf,
    identity: Option<Identity>,
    patience: Duration,
    clock: Arc<dyn HostClock>,
    retention: Retention,
    next_tick: Instant,
    compacting: bool,
    /// Whether the stored deadlines are known to belong to this boot.
    boot_adopted: bool,
    /// Whether the last maintenance failed.
    neglected: bool,
    log: Log,
    /// When another process was last seen writing.
    company: Option<Instant>,
    /// Since when this process writes without a pause.
    spell: Instant,
}

impl Desk {
    fn work(mut self) {
        loop {
            let pause =
                if self.compacting { Duration::ZERO } else { self.next_tick.saturating_duration_since(Instant::now()) };
            match self.queue.recv_timeout(pause) {
                Ok(first) => self.serve(first),
                Err(RecvTimeoutError::Timeout) => self.spell = Instant::now(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.compacting || Instant::now() >= self.next_tick {
                self.maintain();
            }
        }
    }

    fn serve(&mut self, first: Box<dyn Job>) {
        let mut jobs: Vec<Box<dyn Job>> = Vec::with_capacity(8);
        let waiting = std::iter::once(first).chain(self.queue.try_iter().take(TOGETHER - 1));
        let now = Instant::now();
        for job in waiting {
            if job.deadline() > now {
                jobs.push(job);
            } else {
                job.answer(Some(StoreError::Timeout { after: self.patience, waiting_for: "the writes before it" }));
            }
        }
        if jobs.is_empty() {
            return;
        }
        match self.attempt(&mut jobs) {
            Ok(()) => jobs.into_iter().for_each(|job| job.answer(None)),
            Err(Failure { alone_may_work: true, .. }) if jobs.len() > 1 => {
                for job in jobs {
                    let mut single = vec![job];
                    let failure = self.attempt(&mut single).err().map(|failure| failure.meaning);
                    for job in single {
                        job.answer(failure.clone());
                    }
                }
            }
            Err(failure) => jobs.into_iter().for_each(|job| job.answer(Some(failure.meaning.clone()))),
        }
        self.rest_in_company();
    }

    /// One SQLite transaction with every job in it.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failure> {
        self.transact(|batch| jobs.iter_mut().try_for_each(|job| job.run(batch)))
    }

    fn transact(&mut self, work: impl FnOnce(&mut Batch<'_>) -> rusqlite::Result<()>) -> Result<(), Failure> {
        if Identity::of(&self.path) != self.identity {
            let reason = format!("{} was moved or replaced while it was open; restart NodePanel", self.path.display());
            return Err(Failure { meaning: StoreError::Unavailable { reason }, alone_may_work: false });
        }
        if self.log == Log::Suspect {
            self.begin_a_new_log()?;
        }
        let outcome = self.begin().and_then(|()| {
            let now_ms = u64::try_from(self.clock.since_boot().as_millis()).unwrap_or(u64::MAX >> 1);
            let mut batch = Batch::begin(&self.connection, now_ms)?;
            let foreign = batch.revision > self.written;
            if !self.boot_adopted {
                batch.adopt_boot(&self.clock.boot_id())?;
            }
            work(&mut batch)?;
            Ok((batch.finish()?, foreign))
        });
        let committed = match outcome {
            Ok((revision, foreign)) => {
                if foreign {
                    self.company = Some(Instant::now());
                }
                self.connection
                    .execute_batch("COMMIT")
                    .map(|()| revision)
                    .map_err(|error| (failure::meaning_at_commit(&error, &self.path, self.patience), error))
            }
            Err(error) => Err((failure::meaning(&error, &self.path, self.patience), error)),
        };
        match committed {
            Ok(revision) => {
                self.boot_adopted = true;
                self.written = revision;
                self.head.send_if_modified(|head| {
                    let grown = revision > *head;
                    *head = revision.max(*head);
                    grown
                });
                Ok(())
            }
            Err((meaning, error)) => {
                if failure::is_of_the_disk(&error) {
                    self.log = Log::Suspect;
                }
                if !self.connection.is_autocommit()
                    && let Err(error) = self.connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "the store could not roll back a failed transaction");
                }
                Err(Failure { meaning, alone_may_work: !failure::is_general(&error) })
            }
        }
    }

    /// After a failed write or sync nothing says which pages of the log are on the disk: the kernel has let go of those
    /// that it could not write, and shows them as if it had not. What is appended behind one that is missing is lost
    /// with it at the next start, however well it was synced. So everything that was committed is moved into the
    /// database, and the log begun anew, before anything else is acknowledged.
    fn begin_a_new_log(&mut self) -> Result<(), Failure> {
        let mut patience = Patience::new(self.patience);
        loop {
            let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
            match busy {
                Ok(false) => {
                    self.log = Log::Sound;
                    tracing::info!(path = %self.path.display(), "the disk takes writes again; the store's log was begun anew");
                    return Ok(());
                }
                Err(error) if !failure::is_busy(&error) => return Err(self.read_failure(&error)),
                Ok(true) | Err(_) if patience.again() => {}
                Ok(true) | Err(_) => {
                    let waiting_for = "other processes let go of the log that the disk has damaged";
                    let meaning = StoreError::Timeout { after: self.patience, waiting_for };
                    return Err(Failure { meaning, alone_may_work: false });
                }
            }
        }
    }

    fn begin(&mut self) -> rusqlite::Result<()> {
        let mut patience = Patience::new(self.patience);
        loop {
            match self.connection.execute_batch("BEGIN IMMEDIATE") {
                Err(error) if failure::is_busy(&error) => {
                    self.company = Some(Instant::now());
                    if !patience.again() {
                        return Err(error);
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Gives other processes a chance at the lock.
    fn rest_in_company(&mut self) {
        let in_company = self.company.is_some_and(|seen| seen.elapsed() < Duration::from_secs(1));
        if in_company && self.spell.elapsed() >= BUSY_SPELL {
            thread::park_timeout(REST);
            self.spell = Instant::now();
        }
    }

    /// Ends leases and compacts history.
    fn maintain(&mut self) {
        let outcome = self.expire_leases().and_then(|()| self.compact());
        let pause = match outcome {
            Ok(pause) => {
                self.neglected = false;
                pause
            }
            Err(failure) => {
                self.compacting = false;
                // Said once, not at every tick of a long outage.
                if !std::mem::replace(&mut self.neglected, true) {
                    tracing::warn!(error = %failure.meaning, "leases cannot be ended and history cannot be compacted");
                }
                TICK
            }
        };
        self.next_tick = Instant::now() + pause;
    }

    fn expire_leases(&mut self) -> Result<(), Failure> {
        if !self.boot_adopted {
            self.transact(|_| Ok(()))?;
        }
        while self.until_next_lease()?.is_some_and(|left| left.is_zero()) {
            self.transact(|batch| batch.expire_leases().map(drop))?;
        }
        Ok(())
    }

    fn until_next_lease(&self) -> Result<Option<Duration>, Failure> {
        let deadline = leases::next_deadline_ms(&self.connection).map_err(|error| self.read_failure(&error))?;
        Ok(deadline.map(|deadline| Duration::from_millis(deadline).saturating_sub(self.clock.since_boot())))
    }

    /// Removes a portion of the history that is old enough; answers when to look again.
    fn compact(&mut self) -> Result<Duration, Failure> {
        let horizon = Horizon::read(&self.connection).map_err(|error| self.read_failure(&error))?;
        let target = self.retention.observe(Instant::now(), horizon.revision).max(horizon.compacted);
        if target > horizon.compacted || self.compacting {
            let mut removed = 0;
            self.transact(|batch| {
                removed = batch.compact(target, COMPACT_ROWS)?;
                Ok(())
            })?;
            self.compacting = removed >= COMPACT_ROWS;
        }
        Ok(self.until_next_lease()?.unwrap_or(TICK).clamp(Duration::from_millis(1), TICK))
    }

    fn read_failure(&self, error: &rusqlite::Error) -> Failure {
        Failure { meaning: failure::meaning(error, &self.path, self.patience), alone_may_work: false }
    }
}

/// What is known of the write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    /// Every write and sync succeeded since it was begun.
    Sound,
    /// One failed: a page of it may not be on the disk.
    Suspect,
}

struct Failure {
    meaning: StoreError,
    alone_may_work: bool,
}

/// Waiting for SQLite's lock: short, uneven pauses, and an end.
pub(super) struct Patience {
    until: Instant,
    state: u64,
    tries: u32,
}

impl Patience {
    pub(super) fn new(patience: Duration) -> Self {
        // Only evenness must be avoided, between processes above all: the process id is random enough.
        let seed = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { until: Instant::now() + patience, state: seed, tries: 0 }
    }

    /// Pauses; false when the time is over.
    pub(super) fn again(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        // Xorshift, by Marsaglia.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let longest_us = (200_u64 << self.tries.min(4)).min(2_000);
        thread::park_timeout(Duration::from_micros(50 + self.state % longest_us));
        self.tries += 1;
        true
    }
}
