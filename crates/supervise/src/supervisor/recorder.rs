//! Writes what must outlive the supervisor, on a thread of its own: a disk that is slow or full delays no restart.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    path::PathBuf,
    thread,
    time::Duration,
};

use nodepanel_types::component::Proof;

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::warn;

use crate::{
    record::Record,
    recoveries::{Journal, KEPT},
    wire::protocol::Recovery,
    worker_log::Cutter,
};

/// Writes that may wait for the disk.
const QUEUE: usize = 1_024;
/// How long the end of the supervisor waits for the disk.
const FINISH: Duration = Duration::from_secs(2);

enum Job {
    Save(Box<Record>),
    Append(Recovery),
    Cut(Cutter),
    Write(PathBuf, String),
    Run(Box<dyn FnOnce() -> io::Result<()> + Send>),
}

/// The supervisor's memory.
pub(super) struct Recorder {
    jobs: mpsc::Sender<Job>,
    finished: oneshot::Receiver<()>,
    saved: Option<Record>,
    recoveries: VecDeque<Recovery>,
    /// The newest proof of each component.
    proofs: BTreeMap<String, Proof>,
}

impl Recorder {
    /// Begins to write into a run directory, after the entries that its journal has.
    pub(super) fn start(run_dir: PathBuf, journal: Journal) -> io::Result<Self> {
        let recoveries: VecDeque<Recovery> = journal.newest(KEPT).into();
        let proofs = recoveries.iter().filter_map(|entry| Some((entry.component.clone(), entry.proof()?))).collect();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (done, finished) = oneshot::channel();
        thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            write_all(queue, &run_dir, journal);
            let _ = done.send(());
        })?;
        Ok(Self { jobs, finished, saved: None, recoveries, proofs })
    }

    /// Saves the record if it is not the one that was saved last.
    pub(super) fn save(&mut self, record: Record) {
        if self.saved.as_ref() != Some(&record) && self.jobs.try_send(Job::Save(Box::new(record.clone()))).is_ok() {
            self.saved = Some(record);
        }
    }

    /// Adds a recovery to the journal.
    pub(super) fn append(&mut self, recovery: Recovery) {
        if self.recoveries.len() == KEPT {
            self.recoveries.pop_front();
        }
        if let Some(proof) = recovery.proof() {
            self.proofs.insert(recovery.component.clone(), proof);
        }
        self.recoveries.push_back(recovery.clone());
        if self.jobs.try_send(Job::Append(recovery)).is_err() {
            warn!("the disk is too slow: a recovery is kept in memory only");
        }
    }

    /// When a component was last seen to come back.
    pub(super) fn proof(&self, component: &str) -> Option<&Proof> {
        self.proofs.get(component)
    }

    /// The newest recoveries, oldest first.
    pub(super) fn newest(&self, limit: usize) -> Vec<Recovery> {
        self.recoveries.iter().skip(self.recoveries.len().saturating_sub(limit)).cloned().collect()
    }

    /// The newest recovery of a kind.
    pub(super) fn last(&self, kind: impl Fn(&Recovery) -> bool) -> Option<&Recovery> {
        self.recoveries.iter().rev().find(|entry| kind(entry))
    }

    /// Has a log cut if it is too large. Skipped when the disk is behind.
    pub(super) fn cut(&self, log: Cutter) {
        let _ = self.jobs.try_send(Job::Cut(log));
    }

    /// Writes a file for the operator. Skipped when the disk is behind.
    pub(super) fn write(&self, path: PathBuf, text: String) {
        let _ = self.jobs.try_send(Job::Write(path, text));
    }

    /// Has other work for the disk done in its turn.
    pub(super) fn run(&self, work: impl FnOnce() -> io::Result<()> + Send + 'static) {
        if self.jobs.try_send(Job::Run(Box::new(work))).is_err() {
            warn!("the disk is too slow: something could not be kept");
        }
    }

    /// Waits until everything is written, for a short while.
    pub(super) async fn finish(self) {
        drop(self.jobs);
        if timeout(FINISH, self.finished).await.is_err() {
            warn!("the disk did not take the last state in time");
        }
    }
}

fn write_all(mut queue: mpsc::Receiver<Job>, run_dir: &std::path::Path, mut journal: Journal) {
    while let Some(job) = queue.blocking_recv() {
        // Of the records that wait only the last one counts.
        let mut newest = None;
        let mut next = Some(job);
        while let Some(job) = next {
            let written = match job {
                Job::Save(record) => {
                    newest = Some(record);
                    Ok(())
                }
                Job::Append(recovery) => journal.append(recovery),
                Job::Cut(log) => log.cut().map(|_| ()),
                Job::Write(path, text) => fs::write(path, text),
                Job::Run(work) => work(),
            };
            if let Err(error) = written {
                warn!(%error, "cannot write to the run or log directory");
            }
            next = queue.try_recv().ok();
        }
        if let Some(Err(error)) = newest.map(|record| record.write(run_dir)) {
            warn!(%error, "cannot save which processes run; a supervisor that is started now would not know them");
        }
    }
}
