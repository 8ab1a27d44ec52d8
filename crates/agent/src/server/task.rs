//! The task of one server: looks, decides by the plan, acts, and waits for the next reason to look.
//!
//! It makes no choices of its own and never waits for anything but the database: whatever takes longer is a task of
//! its own whose result is one more reason to look.

use std::{sync::Arc, time::Duration};

use nodepanel_types::{
    Millis, Timestamp,
    state::{Exit, Phase},
    wire::{DesiredServer, NodeFrame, ObservedServer},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{Feed, Keeper, Order, Server, TaskEnds};
use crate::{
    db::{KeptRefusal, News, Noted},
    install,
    node::Node,
    plan::{self, InstallResult, Installing, Note, Process, Progress, Step, View, Wanted},
    runtime::{Recovered, RunEnd, RunPlace, RunState, Running, RuntimeError},
};

/// Notes that are kept while the database cannot be written.
const NOTES_KEPT: usize = 200;
/// The pause before a write that failed is tried again.
const SAVE_RETRY_MS: u64 = 1_000;

/// What a task begins with.
pub struct TaskConfig {
    /// The node.
    pub node: Arc<Node>,
    /// The server.
    pub server: Arc<Server>,
    /// What it listens to.
    pub ends: TaskEnds,
    /// How far the server was brought.
    pub progress: Progress,
    /// What was found of its last run; `None` for a server that is new.
    pub recovered: Option<Recovered>,
    /// Its turn after a boot.
    pub turn_at: Option<Timestamp>,
}

/// What a spawning task brings.
pub enum Spawned {
    /// A run that was started.
    Started(Result<Arc<dyn Running>, RuntimeError>),
    /// What was found of an earlier one.
    Recovered(Recovered),
}

/// The task of one server.
pub struct Task {
    pub(super) node: Arc<Node>,
    pub(super) server: Arc<Server>,
    wish: watch::Receiver<Arc<DesiredServer>>,
    orders: mpsc::Receiver<Order>,
    pub(super) desired: Arc<DesiredServer>,
    pub(super) wanted: Wanted,
    pub(super) progress: Progress,
    pub(super) run: Option<Arc<dyn Running>>,
    pub(super) state: Option<watch::Receiver<RunState>>,
    /// The end of a run that has no keeper any more, or never had one.
    pub(super) end: Option<RunEnd>,
    pub(super) spawning: Option<JoinHandle<Spawned>>,
    suspended: watch::Receiver<bool>,
    pub(super) job: Option<install::Job>,
    /// The installation in progress was begun by an earlier agent.
    pub(super) resume_install: bool,
    pub(super) turn_at: Option<Timestamp>,
    /// The progress has changed since it was written.
    dirty: bool,
    /// A run has ended since the progress was written: what its keys are refused with.
    pub(super) lost_keys: Option<KeptRefusal>,
    notes: Vec<Noted>,
    pub(super) keeper: Keeper,
    /// When the keeper was lost that has not been replaced yet.
    pub(super) lost_at: Option<Timestamp>,
    pub(super) deleted: bool,
    /// What the clock showed when the task looked last, and when that was.
    looked: (Timestamp, Instant),
}

impl Task {
    /// A task that has not begun.
    pub fn new(config: TaskConfig) -> Self {
        let TaskConfig { node, server, ends, mut progress, recovered, turn_at } = config;
        let desired = server.desired();
        let wanted = Wanted::from(desired.as_ref());
        let resume_install = progress.install.current.as_ref().is_some_and(|job| job.started_at.is_some());
        let keeper = Keeper { pid: None, started_at: None, restarts: 0, last_recovery_ms: None, last_exit: None };
        let mut task = Self {
            wish: ends.wish,
            orders: ends.orders,
            desired,
            wanted,
            run: None,
            state: None,
            end: None,
            spawning: None,
            suspended: node.suspended.subscribe(),
            job: None,
            resume_install,
            turn_at,
            dirty: false,
            lost_keys: None,
            notes: Vec::new(),
            keeper,
            lost_at: None,
            deleted: false,
            looked: (node.clock.now(), Instant::now()),
            progress: Progress::default(),
            node,
            server,
        };
        if let Some(recovered) = recovered {
            task.take_up(&mut progress, recovered);
        } else {
            remember_install(&task.server, &mut progress, task.node.clock.now());
            task.spawning = Some(tokio::spawn(recover(Arc::clone(&task.node), task.server.place())));
        }
        task.progress = progress;
        task
    }

    /// Runs until the server is deleted or the agent ends. The games stay.
    pub async fn run(mut self) {
        // Nothing is begun by an agent that ends: the next one would find it half done.
        while !self.deleted && !self.node.closing.is_cancelled() {
            self.follow_clock();
            self.desired = Arc::clone(&self.wish.borrow_and_update());
            self.wanted = Wanted::from(self.desired.as_ref());
            let step = self.step();
            match step {
                Step::Wait { until } => {
                    self.save().await;
                    self.publish();
                    let closing = self.node.closing.clone();
                    tokio::select! {
                        () = self.reason_to_look(until) => {}
                        () = closing.cancelled() => break,
                    }
                }
                step => {
                    self.act(step).await;
                    // A wish that was taken up and not acted on yet would be shown as fulfilled.
                    if !matches!(step, Step::Begin | Step::AcceptInstall) {
                        self.publish();
                    }
                }
            }
        }
        if let Some(job) = &self.job
            && !self.deleted
        {
            // Its steps have keepers of their own; the next agent takes them up.
            job.done.abort();
        }
    }

    /// Deadlines are instants, so that they outlive the agent; a clock that is set takes them along.
    fn follow_clock(&mut self) {
        let (shown, then) = std::mem::replace(&mut self.looked, (self.node.clock.now(), Instant::now()));
        let passed = Millis::try_from(self.looked.1.duration_since(then).as_millis()).unwrap_or(Millis::MAX);
        if let Some(by) = plan::clock_set_by(shown, passed, self.looked.0) {
            plan::clock_set(&mut self.progress, by);
            self.turn_at = self.turn_at.map(|at| plan::moved(at, by));
            self.dirty = true;
        }
    }

    /// The process that recovery found, or how it ended.
    pub(super) fn take_up(&mut self, progress: &mut Progress, recovered: Recovered) {
        match recovered {
            Recovered::Running(run) => {
                if progress.run.is_none() {
                    // The record of its start was lost with the database.
                    let _ = plan::start_begun(progress, &self.node.boot, self.node.clock.now());
                    self.dirty = true;
                }
                self.keeper.started_at = progress.run.as_ref().map(|run| run.begun_at);
                self.attach(run);
            }
            Recovered::Ended(end) => self.end = Some(end),
            Recovered::Lost | Recovered::Nothing => {
                if let Some(run) = &progress.run {
                    let rebooted = run.boot != self.node.boot;
                    let exit = if rebooted { Exit::Unknown } else { Exit::KeeperLost };
                    self.end = Some(self.end_without_witness(exit));
                }
            }
        }
    }

    pub(super) fn end_without_witness(&self, exit: Exit) -> RunEnd {
        RunEnd { started_at: None, exit, asked: false, killed: false, at: self.node.clock.now() }
    }

    pub(super) fn attach(&mut self, run: Arc<dyn Running>) {
        self.keeper.pid = Some(run.keeper_pid());
        self.state = Some(run.state());
        self.server.console().send_replace(Feed::Live(Arc::clone(&run)));
        self.run = Some(run);
        self.server.keeper().send_replace(Some(self.keeper.clone()));
    }

    pub(super) fn process_now(&self) -> Process {
        let number = self.progress.run.as_ref().map_or(self.progress.runs, |run| run.number);
        if let Some(end) = &self.end {
            return ended(number, end);
        }
        let Some(state) = &self.state else {
            return if self.spawning.is_some() { Process::Spawning } else { Process::Absent };
        };
        match &*state.borrow() {
            RunState::Alive { run: None, .. } => Process::Spawning,
            RunState::Alive { run: Some(run), ready_at, .. } => {
                Process::Alive { number, run: *run, ready_at: *ready_at }
            }
            RunState::Ended(end) => ended(number, end),
        }
    }

    fn installing(&self) -> Installing {
        match &self.job {
            None => Installing::No,
            Some(job) => {
                let status = job.status.borrow().clone();
                Installing::Yes { step: status.step, percent: status.percent, ending: job.cancel.is_cancelled() }
            }
        }
    }

    fn step(&self) -> Step {
        let (process, installing) = (self.process_now(), self.installing());
        plan::next(self.view(&process, &installing))
    }

    fn view<'a>(&'a self, process: &'a Process, installing: &'a Installing) -> View<'a> {
        View {
            wanted: &self.wanted,
            progress: &self.progress,
            process,
            installing,
            turn_at: self.turn_at,
            suspended: *self.node.suspended.borrow(),
            now: self.node.clock.now(),
        }
    }

    /// Returns when something has happened that the plan should know, at `until` at the latest.
    async fn reason_to_look(&mut self, until: Timestamp) {
        let mut pause = until.since(self.node.clock.now()).max(1);
        if self.dirty || !self.notes.is_empty() {
            pause = pause.min(SAVE_RETRY_MS);
        }
        tokio::select! {
            // The other end is in `self.server`: it cannot be gone.
            _ = self.wish.changed() => {}
            Some(order) = self.orders.recv() => self.obey(order).await,
            () = changed(self.state.as_mut()) => {}
            () = changed(Some(&mut self.suspended)) => {}
            result = finished(self.spawning.as_mut()) => self.spawned(result),
            news = job_news(self.job.as_mut()) => if let Some(result) = news { self.installed(result) },
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
        }
    }

    async fn obey(&mut self, order: Order) {
        let Order::Remove { generation, done } = order;
        let before = self.progress.removing;
        self.progress.removing = Some(generation.max(before.unwrap_or(0)));
        let result = self.node.db.save_progress(self.server.id, &self.progress).await;
        if result.is_err() {
            self.progress.removing = before;
        } else {
            self.note(plan::removal_begun());
        }
        // Who asked may have gone; the removal goes on.
        let _ = done.send(result);
    }

    pub(super) fn note(&mut self, note: Note) {
        tracing::info!(server.id = %self.server.id, server.name = self.desired.name, automatic = note.automatic, "{}", note.text);
        self.notes.push(Noted { at: self.node.clock.now(), note });
        let excess = self.notes.len().saturating_sub(NOTES_KEPT);
        self.notes.drain(..excess);
    }

    pub(super) fn changed(&mut self, notes: impl IntoIterator<Item = Note>) {
        self.dirty = true;
        for note in notes {
            self.note(note);
        }
    }

    /// Writes progress and notes. What cannot be written is tried again; the server is run all the same.
    pub(super) async fn save(&mut self) {
        if !self.dirty && self.notes.is_empty() {
            return;
        }
        let notes = std::mem::take(&mut self.notes);
        let news =
            News { progress: self.dirty.then_some(&self.progress), keys: self.lost_keys.clone(), notes: notes.clone() };
        match self.node.db.save(self.server.id, news).await {
            Ok(last) => {
                (self.dirty, self.lost_keys) = (false, None);
                self.node.journal_grew(last);
            }
            Err(_) => self.notes = notes,
        }
    }

    /// Tells everybody what is so, if it has changed.
    pub(super) fn publish(&mut self) {
        // Before it is known what runs there is nothing to tell but what was known before.
        let looking =
            self.spawning.is_some() && (self.progress.run.is_none() || self.server.observed_sender().borrow().looking);
        if self.deleted || looking {
            return;
        }
        let (process, installing) = (self.process_now(), self.installing());
        if matches!(process, Process::Ended { .. }) {
            // How it ended is taken note of next; until then the reason would be that of an earlier end.
            return;
        }
        let phase = plan::phase(self.view(&process, &installing));
        let now = self.node.clock.now();
        let notice = self.notice();
        let mut news = None;
        self.server.observed_sender().send_if_modified(|held| {
            // What runs was running before this agent was started.
            let since = match &phase {
                Phase::Running { ready_at, .. } => *ready_at,
                Phase::Starting { run: Some(run) } => run.started_at,
                phase if held.phase.state() == phase.state() => held.since,
                _ => now,
            };
            let observed = ObservedServer {
                server: self.server.id,
                generation: self.desired.generation,
                power_serial: self.progress.power_serial,
                phase,
                looking: false,
                since,
                install: self.progress.install.state(),
                automatic_restarts: self.progress.automatic_restarts,
                notice,
            };
            let changed = *held != observed;
            if changed {
                *held = observed.clone();
                news = Some(observed);
            }
            changed
        });
        if let Some(observed) = news {
            self.node.hub.tell(NodeFrame::Server(observed));
        }
    }

    fn notice(&self) -> Option<String> {
        let mut notices = Vec::new();
        if let Some(state) = &self.state
            && let RunState::Alive { sign_seen, notes, ready_at, .. } = &*state.borrow()
        {
            if !sign_seen && ready_at.is_some() {
                let limit = crate::policy::duration(self.desired.launch.ready_timeout_ms);
                notices.push(format!("It did not say that it is ready within {limit}; it is shown as running."));
            }
            notices.extend(notes.iter().cloned());
        }
        if let (Some(limit), Some(used)) = (self.desired.limits.disk_mib, self.server.disk_bytes())
            && used > u64::from(limit) * 1024 * 1024
        {
            notices.push(format!("Its files take {} MiB; its limit is {limit} MiB.", used / (1024 * 1024)));
        }
        (!notices.is_empty()).then(|| notices.join(" "))
    }
}

/// A server that is new to this agent may be old: then it need not, and while it runs must not, be installed again.
fn remember_install(server: &Server, progress: &mut Progress, now: Timestamp) {
    if progress.install.finished > 0 || progress.install.current.is_some() {
        return;
    }
    let mark = std::fs::read_to_string(server.layout.installed()).unwrap_or_default();
    if let Ok(serial) = mark.trim().parse() {
        progress.install.finished = serial;
        progress.install.result = Some(InstallResult { at: now, took_ms: 0, failure: None });
    }
}

/// Looks for an earlier run until it is known whether there is one: a keeper that does not answer may have one, and a
/// second process in the same directory would destroy what the first one keeps there.
async fn recover(node: Arc<Node>, place: RunPlace) -> Spawned {
    let mut pause = Duration::from_millis(100);
    loop {
        match node.runtime.recover(&place).await {
            Ok(recovered) => return Spawned::Recovered(recovered),
            Err(error) => {
                tracing::warn!(server.id = %place.server, error = error.in_full(), "It cannot be found out whether a server runs; trying again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn ended(number: u64, end: &RunEnd) -> Process {
    Process::Ended {
        number,
        started_at: end.started_at,
        exit: end.exit.clone(),
        asked: end.asked,
        killed: end.killed,
        at: end.at,
    }
}

/// Returns when the value changes; never when there is none or it cannot change any more.
async fn changed<T>(receiver: Option<&mut watch::Receiver<T>>) {
    let never = match receiver {
        Some(receiver) => receiver.changed().await.is_err(),
        None => true,
    };
    if never {
        std::future::pending::<()>().await;
    }
}

/// Returns when the job does something else, with its result when it has ended; never when there is none.
async fn job_news(job: Option<&mut install::Job>) -> Option<Option<install::Outcome>> {
    match job {
        Some(job) => tokio::select! {
            () = changed(Some(&mut job.status)) => None,
            result = finished(Some(&mut job.done)) => Some(result),
        },
        None => std::future::pending().await,
    }
}

/// Returns when the task ends; never when there is none.
async fn finished<T>(task: Option<&mut JoinHandle<T>>) -> Option<T> {
    match task {
        Some(task) => task.await.ok(),
        None => std::future::pending().await,
    }
}
