//! The first moments of a supervisor: the lock, the record of the one before, the processes that still run, and the
//! sockets, from wherever they can be had.
//!
//! Recovers before it starts anything.

use std::{
    collections::BTreeSet,
    fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::{
    Millis,
    clock::Clock,
    component::{Observer, Occasion, Role, lost},
};
use tokio::{sync::mpsc, time::timeout};
use tracing::{error, info, warn};

use super::{
    SuperviseError,
    connections::{Connections, accept},
    core::{EVENTS, Event, Supervisor},
    overseer::{Overseer, since_boot},
    recorder::Recorder,
    renew::Renewing,
    requests::retire,
    slot::Slot,
    upgrade::Moving,
};
use crate::{
    announced::{Announced, OwnEnd},
    lifecycle::Input,
    lock::{InstallationLock, Single},
    plan::{Plan, SocketSpec, Timing},
    process::{Identity, Process},
    record::{RECORD_FILE, Record},
    recoveries::Journal,
    run_dir::{CONTROL_SOCKET, RunDir},
    sockets::{Inherited, Predecessor, bind, matches},
    wire::protocol::Recovery,
};

/// How long workers that survived may take to bring the sockets back.
const HAND_OVER: Duration = Duration::from_secs(1);

/// The recovery of the supervisor itself, until every worker that it took over has found it.
pub(super) struct Comeback {
    why: String,
    occasion: Occasion,
    observed_by: Observer,
    expected: BTreeSet<usize>,
    took_over: usize,
    took_ms: Option<Millis>,
}

impl Supervisor {
    pub(super) async fn take_over(
        mut plan: Plan,
        inherited: Inherited,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SuperviseError> {
        plan.check()?;
        let files = |what, path: PathBuf| move |source| SuperviseError::Files { what, path, source };
        let run_path = RunDir::path_in(&plan.data_dir);
        let run_dir = RunDir::create(&plan.data_dir).map_err(files("create", run_path))?;
        let lock = InstallationLock::take(Single::Supervisor, &plan.data_dir, run_dir.path()).await?;
        let record = read_record(&run_dir);
        let journal = Journal::open(run_dir.path()).map_err(files("read", run_dir.path().to_owned()))?;
        let recorder = Recorder::start(run_dir.path().to_owned(), journal)
            .map_err(files("write into", run_dir.path().to_owned()))?;
        let begun = Instant::now();
        let moving = Moving::begin(&mut plan, begun);
        let slots = plan.workers.iter().map(|spec| {
            Slot::new(spec.clone(), record.worker(&spec.name), &plan.data_dir)
                .map_err(files("open the logs in", plan.data_dir.join("logs")))
        });
        let slots = slots.collect::<Result<Vec<_>, _>>()?;
        let listener = run_dir.listen(CONTROL_SOCKET).map_err(files("listen on", run_dir.file(CONTROL_SOCKET)))?;
        let (sender, events) = mpsc::channel::<Event>(EVENTS);
        let acceptor = accept(listener, sender.clone());
        let mut own = record.supervisor.clone();
        own.identity = Identity::own().ok();
        own.started_at = Some(clock.now());
        own.ready = true;
        let mut supervisor = Self {
            plan,
            clock,
            run_dir,
            sockets: inherited.sockets,
            slots,
            connections: Connections::default(),
            recorder,
            sender,
            events,
            acceptor,
            own,
            comeback: None,
            announced: Announced::default(),
            renewing: Renewing::default(),
            stopping: None,
            begun,
            equipped: false,
            deferred: Vec::new(),
            told: Vec::new(),
            next_round: begun,
            moving,
            successor: None,
            overseer: Overseer::default(),
            _lock: lock,
        };
        supervisor.find_keeper(&record);
        let adopted = supervisor.adopt_workers(&record, inherited.predecessor.as_ref());
        supervisor.succeed(&record, inherited.predecessor, adopted);
        supervisor.equip().await?;
        Ok(supervisor)
    }

    /// Takes hold of what still runs; says which slots are filled.
    fn adopt_workers(&mut self, record: &Record, predecessor: Option<&Predecessor>) -> BTreeSet<usize> {
        let mut adopted = BTreeSet::new();
        for recorded in &record.workers {
            let Some(identity) = &recorded.identity else { continue };
            let process = Process::adopt(identity).unwrap_or_else(|error| {
                error!(component.name = recorded.name, %error, "cannot take a process over");
                None
            });
            let slot = self.plan.workers.iter().position(|spec| spec.name == recorded.name);
            match (slot, process) {
                (Some(index), Some(process)) => {
                    info!(component.name = recorded.name, process.pid = identity.pid, "took {} over", recorded.name);
                    let started_at = recorded.started_at.unwrap_or_else(|| self.clock.now());
                    let age = Duration::from_millis(self.clock.now().since(started_at));
                    self.hold(index, process, started_at);
                    self.step(index, Input::Adopted { ready: recorded.ready, age });
                    adopted.insert(index);
                }
                (Some(index), None) => {
                    let ago = predecessor.map(|gone| Duration::from_millis(self.clock.now().since(gone.ended_at)));
                    let with_host = !self.is_of_this_boot(identity);
                    let why = if with_host { "ended with its host" } else { "ended while no supervisor ran" };
                    self.step(index, Input::Lost { why: why.to_owned(), ago, with_host });
                }
                (None, Some(process)) => {
                    info!(
                        component.name = recorded.name,
                        process.pid = identity.pid,
                        "is not in the plan any more; ending it"
                    );
                    let _ = process.signal_group(crate::process::Signal::TERM);
                    tokio::spawn(async move { retire(&process, Timing::default()).await });
                }
                (None, None) => {}
            }
        }
        adopted
    }

    /// Counts the recovery of the supervisor itself when the one before did not leave by its own will.
    fn succeed(&mut self, record: &Record, predecessor: Option<Predecessor>, adopted: BTreeSet<usize>) {
        let Some(identity) = &record.supervisor.identity else { return };
        let with_host = !self.is_of_this_boot(identity);
        let seen = predecessor.as_ref().map(|gone| self.clock.now().since(gone.ended_at));
        let observed_by = if predecessor.is_some() { Observer::Keeper } else { Observer::Supervisor };
        let unseen = if with_host { "ended with its host" } else { "ended without being asked to" };
        let ended_at = predecessor.as_ref().map_or_else(|| self.clock.now(), |gone| gone.ended_at);
        let why = predecessor.map_or_else(|| unseen.to_owned(), |gone| gone.how);
        let purpose = OwnEnd::take(self.run_dir.path()).filter(|_| !with_host).and_then(|end| end.purpose_at(ended_at));
        let (on_purpose, why) = match purpose {
            Some(purpose) => (true, format!("{why}, on purpose ({purpose})")),
            None => (false, why),
        };
        warn!("the supervisor before this one {why}; took over {} of its workers", adopted.len());
        if !on_purpose {
            self.own.restarts = self.own.restarts.saturating_add(1);
        }
        self.own.last_exit = Some(why.clone());
        let took_over = adopted.len();
        let occasion = match (with_host, on_purpose) {
            (true, _) => Occasion::Boot,
            (false, true) => Occasion::Drill,
            (false, false) => Occasion::Fault,
        };
        let took_ms = seen.or_else(|| with_host.then(since_boot));
        self.comeback = Some(Comeback { why, occasion, observed_by, expected: adopted, took_over, took_ms });
        self.complete_comeback();
    }

    /// A worker that was taken over has found this supervisor, after so long without one.
    pub(super) fn back_with(&mut self, index: usize, alone_ms: Option<Millis>) {
        if let Some(comeback) = self.comeback.as_mut().filter(|comeback| comeback.expected.contains(&index)) {
            comeback.took_ms = comeback.took_ms.max(alone_ms);
        }
        self.expected_no_more(index);
    }

    /// Nobody has to wait for this worker to find the supervisor.
    pub(super) fn expected_no_more(&mut self, index: usize) {
        if self.comeback.as_mut().is_some_and(|comeback| comeback.expected.remove(&index)) {
            self.complete_comeback();
        }
    }

    fn complete_comeback(&mut self) {
        let Some(comeback) = self.comeback.take_if(|comeback| comeback.expected.is_empty()) else { return };
        self.own.last_recovery_ms = comeback.took_ms.or(self.own.last_recovery_ms);
        self.recorder.append(Recovery {
            at: self.clock.now(),
            component: self.own.name.clone(),
            what: format!("started again{}", taken_over(comeback.took_over)),
            why: comeback.why,
            took_ms: comeback.took_ms,
            tries: 1,
            occasion: Some(comeback.occasion),
            observed_by: Some(comeback.observed_by),
            lost: Some(lost(Role::Supervisor, comeback.occasion).to_owned()),
        });
        let own = self.own.name.clone();
        if let Some(proof) = self.recorder.proof(&own).cloned() {
            self.judge_renewal(&own, Role::Supervisor, &proof);
        }
    }

    /// Whether a process was started since the machine was.
    fn is_of_this_boot(&self, identity: &Identity) -> bool {
        self.own.identity.as_ref().is_some_and(|own| own.boot_id == identity.boot_id)
    }

    /// Completes the sockets: what the parent handed down, then what surviving workers bring back, then new ones.
    async fn equip(&mut self) -> Result<(), SuperviseError> {
        for spec in &self.plan.sockets {
            if self.sockets.get(&spec.name).is_some_and(|socket| !matches(socket, spec)) {
                warn!(socket.name = spec.name, socket.address = %spec.address, "was handed a socket for another address; closing it");
                self.sockets.take(&spec.name);
            }
        }
        let until = Instant::now() + HAND_OVER;
        let may_bring = |slot: &Slot, name: &String| slot.process.is_some() && slot.spec.sockets.contains(name);
        while self.missing().any(|spec| self.slots.iter().any(|slot| may_bring(slot, &spec.name))) {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, self.events.recv()).await {
                Ok(Some(event)) => self.handle(event),
                Ok(None) | Err(_) => break,
            }
        }
        let missing: Vec<SocketSpec> = self.missing().cloned().collect();
        for spec in missing {
            let socket = bind(&spec)?;
            info!(socket.name = spec.name, socket.address = ?socket.local_addr().ok(), "listening");
            self.sockets.insert(spec.name, socket);
        }
        self.equipped = true;
        for index in std::mem::take(&mut self.deferred) {
            self.start(index);
        }
        Ok(())
    }

    fn missing(&self) -> impl Iterator<Item = &SocketSpec> {
        self.plan.sockets.iter().filter(|spec| self.sockets.get(&spec.name).is_none())
    }
}

/// Reads the record; one that is damaged is put aside, since refusing to start would be worse: workers that it named
/// say hello by themselves.
fn read_record(run_dir: &RunDir) -> Record {
    match Record::read(run_dir.path()) {
        Ok(record) => record,
        Err(error) => {
            error!(%error, "the record of running processes is damaged; it is kept as supervisor.json.damaged");
            let kept = fs::rename(run_dir.file(RECORD_FILE), run_dir.file("supervisor.json.damaged"));
            if let Err(error) = kept.or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }) {
                error!(%error, "cannot put the damaged record aside");
            }
            Record::empty()
        }
    }
}

/// What a supervisor did besides starting, in words.
fn taken_over(workers: usize) -> String {
    match workers {
        0 => String::new(),
        1 => "; took over 1 worker that had gone on".to_owned(),
        many => format!("; took over {many} workers that had gone on"),
    }
}
