//! The supervisor's state and its loop: one event after the other, then the deadlines, then what must be saved.

use std::{
    future::Future,
    io,
    os::fd::OwnedFd,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::{
    Timestamp,
    clock::Clock,
    component::{Component, ComponentState, Occasion, Restarter, Role, lost},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    SuperviseError,
    connections::{ConnectionId, Connections, Outgoing},
    examine::examine,
    overseer::{Found, Overseer, since_boot},
    recorder::Recorder,
    renew::Renewing,
    requests::Stopping,
    slot::{Slot, millis},
    takeover::Comeback,
    upgrade::{Moving, Version},
};
use crate::{
    announced::Announced,
    ceiling::Watch,
    lifecycle::{Action, Input, Phase},
    lock::InstallationLock,
    plan::Plan,
    process::{Ending, Process, Signal, Usage, reap_orphans},
    record::{ProcessRecord, Record},
    run_dir::RunDir,
    sockets::{Inherited, Sockets},
    wire::{
        Peer,
        protocol::{Condition, FromSupervisor, Recovery, ToSupervisor},
    },
    worker_log::WorkerLog,
};

/// Events that may wait; connections wait with their next message when it is full.
pub(super) const EVENTS: usize = 1_024;
/// Woken later than this, the supervisor itself did not run and judges nobody by it.
const OWN_STALL: Duration = Duration::from_millis(100);
/// Between the passing of a deadline and the judgement: what the worker said meanwhile may still be in its socket.
const LAST_WORD: Duration = Duration::from_millis(5);
/// How often the logs and what the workers hold are looked at.
const ROUND: Duration = Duration::from_secs(1);

/// Something that the supervisor is told.
pub(super) enum Event {
    /// Somebody connected to the control socket.
    Connected { id: ConnectionId, peer: Peer, outbox: mpsc::Sender<Outgoing> },
    /// It is on disk that this supervisor is about to be ended on purpose, or why not.
    Announced { asker: Option<ConnectionId>, outcome: io::Result<()> },
    /// Somebody said something.
    Message { id: ConnectionId, message: ToSupervisor, descriptors: Vec<OwnedFd> },
    /// A connection is gone.
    Disconnected { id: ConnectionId },
    /// A process ended.
    Ended { slot: usize, generation: u64, ending: Ending },
    /// Whoever keeps this supervisor has ended.
    KeeperEnded { pid: u32 },
    /// It was found out who starts whoever is at the top here.
    Overseen { pid: u32, found: Found },
    /// The installed build was looked at.
    Examined { asker: Option<ConnectionId>, outcome: Result<Version, String> },
    /// The system's sign that another build or configuration is there.
    Hangup,
}

/// Why a supervisor left.
#[derive(Debug)]
pub enum Left {
    /// It was asked to stop, and everything has ended.
    Stopped,
    /// The caller is to become this program, with these sockets; the workers go on meanwhile.
    Succeeded {
        /// The program.
        program: PathBuf,
        /// What it inherits.
        sockets: Sockets,
    },
}

/// All that one supervisor knows and holds.
pub(super) struct Supervisor {
    pub(super) plan: Plan,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) run_dir: RunDir,
    pub(super) sockets: Sockets,
    pub(super) slots: Vec<Slot>,
    pub(super) connections: Connections,
    pub(super) recorder: Recorder,
    pub(super) sender: mpsc::Sender<Event>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) acceptor: JoinHandle<()>,
    /// The supervisor itself, as its successor will find it.
    pub(super) own: ProcessRecord,
    pub(super) comeback: Option<Comeback>,
    /// Ends that were announced and have not come yet.
    pub(super) announced: Announced,
    /// The renewal of proofs.
    pub(super) renewing: Renewing,
    pub(super) stopping: Option<Stopping>,
    pub(super) begun: Instant,
    /// The sockets are complete: workers may be started.
    pub(super) equipped: bool,
    /// Starts that wait for the sockets.
    pub(super) deferred: Vec<usize>,
    /// What the workers were told of the API servers.
    pub(super) told: Vec<Condition>,
    pub(super) next_round: Instant,
    /// Builds and the moves between them.
    pub(super) moving: Option<Moving>,
    /// Who keeps this supervisor, and who starts that.
    pub(super) overseer: Overseer,
    /// Who takes this supervisor's place as soon as possible.
    pub(super) successor: Option<PathBuf>,
    pub(super) _lock: InstallationLock,
}

/// Keeps the workers of `plan` running until `shutdown` is ready or somebody asks for a stop; then ends them (the
/// game servers stay, unless that request asked for them too) and returns.
///
/// `inherited` are the sockets that the parent handed down. Call it on a Tokio runtime with I/O and time. Where the plan
/// knows of upgrades, SIGHUP begins one.
pub async fn run(
    plan: Plan,
    inherited: Inherited,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()>,
) -> Result<Left, SuperviseError> {
    let mut supervisor = Supervisor::take_over(plan, inherited, clock).await?;
    if supervisor.moving.is_some() {
        supervisor.hear_hangups();
    }
    supervisor.serve(shutdown).await;
    Ok(supervisor.leave().await)
}

impl Supervisor {
    async fn serve(&mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut asked = false;
        loop {
            self.start_waiting();
            self.tell();
            self.save();
            if self.is_over() || self.successor.is_some() {
                return;
            }
            let planned = self.next_deadline();
            tokio::select! {
                biased;
                event = self.events.recv() => {
                    if let Some(event) = event {
                        self.handle(event);
                    }
                }
                () = &mut shutdown, if !asked => {
                    asked = true;
                    info!("asked to stop: ending the workers, the game servers stay");
                    self.stop(false);
                }
                () = sleep_until(planned.into()) => sleep(LAST_WORD).await,
            }
            for _ in 0..EVENTS {
                let Ok(event) = self.events.try_recv() else { break };
                self.handle(event);
            }
            self.expire(planned);
            self.advance(Instant::now());
        }
    }

    /// Turns SIGHUP into events.
    fn hear_hangups(&self) {
        let events = self.sender.clone();
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
            Ok(mut hangups) => {
                tokio::spawn(async move {
                    while hangups.recv().await.is_some() && events.send(Event::Hangup).await.is_ok() {}
                });
            }
            Err(error) => warn!(%error, "SIGHUP cannot be heard; upgrade with `nodepanel upgrade` instead"),
        }
    }

    /// Leaves a clean record and closes the control socket, which tells those who asked for the stop.
    async fn leave(mut self) -> Left {
        self.acceptor.abort();
        self.own.identity = None;
        self.own.ready = false;
        if self.successor.is_none() {
            self.overseer.leave();
        }
        self.save();
        self.recorder.finish().await;
        match self.successor {
            Some(program) => Left::Succeeded { program, sockets: self.sockets },
            None => Left::Stopped,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.stopping, Some(Stopping::Workers))
            && self.slots.iter().all(|slot| *slot.life.phase() == Phase::Stopped)
    }

    /// Takes in one event.
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Connected { id, peer, outbox } => self.connections.insert(id, peer, outbox),
            Event::Message { id, message, descriptors } => self.answer(id, message, descriptors),
            Event::Disconnected { id } => {
                let slot = self.connections.remove(id).and_then(|connection| connection.slot);
                if let Some(slot) = slot.and_then(|index| self.slots.get_mut(index)) {
                    slot.connection = slot.connection.filter(|present| *present != id);
                }
            }
            Event::Ended { slot: index, generation, ending } => {
                let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.generation == generation) else { return };
                slot.process = None;
                slot.worker_id = None;
                slot.connection = None;
                self.expected_no_more(index);
                self.renewing.disturbed();
                // First what the build has to answer for: the replacement may have to be of another one.
                self.held_against_build(index, ending);
                if let Some(purpose) = self.announced_end_of(index) {
                    self.step(index, Input::Announced(purpose));
                }
                self.step(index, Input::Ended(ending));
            }
            Event::Announced { asker, outcome } => self.announced_own(asker, outcome),
            Event::KeeperEnded { pid } => self.keeper_ended(pid),
            Event::Overseen { pid, found } => self.overseen(pid, found),
            Event::Examined { asker, outcome } => self.examined(asker, outcome),
            Event::Hangup => {
                info!("SIGHUP: moving to what is installed");
                self.upgrade(None);
            }
        }
    }

    /// Lets the worker's life go on and does what follows from it.
    pub(super) fn step(&mut self, index: usize, input: Input) {
        let now = Instant::now();
        if let Some(slot) = self.slots.get_mut(index) {
            let actions = slot.life.step(now, input);
            self.apply(index, actions);
        }
    }

    pub(super) fn apply(&mut self, index: usize, actions: Vec<Action>) {
        for action in actions {
            let Some(slot) = self.slots.get_mut(index) else { return };
            let (name, role) = (slot.spec.name.clone(), slot.spec.role);
            match action {
                Action::Start if self.equipped => self.start(index),
                Action::Start => self.deferred.push(index),
                Action::Drain => {
                    let deadline_ms = millis(slot.spec.timing.drain);
                    let told = slot
                        .connection
                        .is_some_and(|id| self.connections.send(id, FromSupervisor::Drain { deadline_ms }));
                    if !told {
                        signal(slot, Signal::TERM);
                    }
                }
                Action::Terminate => {
                    warn!(component.name = name, "did not end when it was asked to; sending SIGTERM");
                    signal(slot, Signal::TERM);
                }
                Action::Kill => {
                    warn!(component.name = name, "sending SIGKILL");
                    signal(slot, Signal::KILL);
                }
                Action::Examine => {
                    let Some(pid) = slot.process.as_ref().map(|process| process.pid()) else { continue };
                    let at = self.clock.now().as_millis();
                    let file = format!("{name}.hung-{}.txt", at % 10);
                    let path = WorkerLog::directory(&self.plan.data_dir).join(&file);
                    slot.examined = Some(format!("logs/{file}"));
                    warn!(component.name = name, process.pid = pid, path = %path.display(), "does not answer; what it does is kept");
                    self.recorder.write(path, examine(pid));
                }
                Action::Lost(sentence) => warn!(component.name = name, "{name} {sentence}"),
                Action::Recovered(comeback) => {
                    let took_ms = comeback.took.map(millis);
                    let took_ms = took_ms.or_else(|| (comeback.occasion == Occasion::Boot).then(since_boot));
                    info!(component.name = name, recovery.took_ms = took_ms, "{name} is back; it {}", comeback.why);
                    let what = match (slot.examined.take(), comeback.occasion) {
                        (Some(kept), _) => format!("started again; what it did before is kept in {kept}"),
                        (None, Occasion::Planned) => "replaced as it was asked for".to_owned(),
                        (None, _) => "started again".to_owned(),
                    };
                    self.recorder.append(Recovery {
                        at: self.clock.now(),
                        component: name,
                        what,
                        why: comeback.why,
                        took_ms,
                        tries: comeback.tries,
                        occasion: Some(comeback.occasion),
                        observed_by: None,
                        lost: Some(lost(role, comeback.occasion).to_owned()),
                    });
                }
            }
        }
    }

    pub(super) fn start(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match slot.start(&self.sockets, self.run_dir.path()) {
            Ok(process) => {
                info!(component.name = slot.spec.name, process.pid = process.pid(), "started {}", slot.spec.name);
                self.hold(index, process, self.clock.now());
            }
            Err(error) => {
                let why = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
                error!(component.name = slot.spec.name, "{error}{why}");
                self.step(index, Input::StartFailed(format!("could not be started ({error}{why})")));
            }
        }
    }

    /// Makes a process the one of this slot and watches it.
    pub(super) fn hold(&mut self, index: usize, process: Process, started_at: Timestamp) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let process = Arc::new(process);
        slot.generation += 1;
        slot.process = Some(Arc::clone(&process));
        slot.started_at = Some(started_at);
        slot.connection = None;
        slot.held = Watch::default();
        let (generation, events) = (slot.generation, self.sender.clone());
        tokio::spawn(async move {
            let ending = end_of(&process).await;
            // The supervisor is gone when this fails, and with it the interest.
            let _ = events.send(Event::Ended { slot: index, generation, ending }).await;
        });
    }

    /// Starts what waited for others that serve now, or that it has waited for long enough.
    fn start_waiting(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let now = Instant::now();
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get(index) else { return };
            if *slot.life.phase() != Phase::Waiting {
                continue;
            }
            let ready =
                |name: &String| self.slots.iter().any(|other| other.spec.name == *name && other.life.is_serving());
            if now >= self.begun + slot.spec.timing.patience || slot.spec.after.iter().all(ready) {
                self.step(index, Input::Start);
            }
        }
    }

    fn next_deadline(&self) -> Instant {
        let waits = |slot: &&Slot| self.stopping.is_none() && *slot.life.phase() == Phase::Waiting;
        let patience = self.slots.iter().filter(waits).map(|slot| self.begun + slot.spec.timing.patience);
        let lives = self.slots.iter().filter_map(|slot| slot.life.deadline());
        let stop = self.stopping.as_ref().and_then(Stopping::deadline);
        let moving = self.moving.as_ref().filter(|_| self.stopping.is_none()).and_then(Moving::deadline);
        lives.chain(patience).chain(stop).chain(moving).fold(self.next_round, Instant::min)
    }

    fn expire(&mut self, planned: Instant) {
        let now = Instant::now();
        if now.saturating_duration_since(planned) > OWN_STALL {
            warn!("the supervisor did not run for a while; silence during that time is not held against the workers");
            for slot in &mut self.slots {
                slot.life.forgive(now);
            }
        }
        for index in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(index) else { return };
            let actions = slot.life.expire(now);
            self.apply(index, actions);
        }
        self.expire_stop(now);
        if now >= self.next_round {
            self.next_round = now + ROUND;
            self.look_who_oversees(now);
            self.weigh(now);
            self.renew(now);
            if std::process::id() == 1 {
                reap_orphans(
                    &self.slots.iter().filter_map(|slot| Some(slot.process.as_ref()?.pid())).collect::<Vec<_>>(),
                );
            }
            for cutter in self.slots.iter().filter_map(|slot| slot.log.cutter().ok()) {
                self.recorder.cut(cutter);
            }
        }
    }

    /// Has the first worker that holds too much replaced; API servers only while another one serves.
    fn weigh(&mut self, now: Instant) {
        for index in 0..self.slots.len() {
            let serving = |slot: &Slot| slot.spec.role == Role::Api && slot.life.is_serving();
            let others_serve = self.slots.iter().enumerate().any(|(other, slot)| other != index && serving(slot));
            let Some(slot) = self.slots.get_mut(index) else { return };
            let api_servers = self.plan.workers.iter().filter(|spec| spec.role == Role::Api).count();
            let (Some(process), Some(age)) = (&slot.process, slot.life.age(now)) else { continue };
            let usage = Usage::read(process.pid());
            let Some(because) = slot.held.judge(&slot.spec.ceilings, &usage, age) else { continue };
            if slot.spec.role == Role::Api && api_servers > 1 && !others_serve {
                continue;
            }
            warn!(component.name = slot.spec.name, "{} {because}; replacing it", slot.spec.name);
            self.step(index, Input::Outgrown(because));
            return;
        }
    }

    /// Every component: the supervisor, then the workers in the order of the plan, each with its children.
    pub(super) fn components(&self) -> Vec<Component> {
        let own = Component {
            name: self.own.name.clone(),
            role: Role::Supervisor,
            pid: Some(std::process::id()),
            state: if self.stopping.is_some() { ComponentState::Draining } else { ComponentState::Ready },
            started_at: self.own.started_at,
            restarts: self.own.restarts,
            last_recovery_ms: self.own.last_recovery_ms,
            last_exit: self.own.last_exit.clone(),
            detail: self.plan.notice.as_ref().and_then(|notice| notice.borrow().clone()),
            supervision: self.supervision(&self.own.name, self.restarter()),
        };
        let workers = self.slots.iter().flat_map(|slot| {
            let mut worker = slot.component();
            worker.supervision = self.supervision(&slot.spec.name, Restarter::Supervisor);
            std::iter::once(worker).chain(slot.children.iter().map(|child| self.supervised_child(child)))
        });
        std::iter::once(own).chain(workers).collect()
    }

    /// Tells the workers how the API servers are, if that has changed: whoever answers in their place must not guess.
    fn tell(&mut self) {
        let servers = self.api_servers();
        if servers == self.told {
            return;
        }
        let workers: Vec<_> = self.slots.iter().filter_map(|slot| slot.connection).collect();
        for id in workers {
            self.connections.send(id, FromSupervisor::ApiServers { servers: servers.clone() });
        }
        self.told = servers;
    }

    /// How the API servers of the plan are.
    pub(super) fn api_servers(&self) -> Vec<Condition> {
        let servers = self.slots.iter().filter(|slot| slot.spec.role == Role::Api);
        servers
            .map(|slot| Condition {
                name: slot.spec.name.clone(),
                state: slot.life.state(),
                detail: slot.life.detail(),
            })
            .collect()
    }

    fn save(&mut self) {
        let workers = self.slots.iter().map(Slot::record).collect();
        self.recorder.save(Record {
            supervisor: self.own.clone(),
            workers,
            keeper: self.overseer.record(),
            boot_id: self.overseer.boot_id.clone(),
            ..Record::empty()
        });
    }
}

fn signal(slot: &Slot, signal: Signal) {
    if let Some(Err(error)) = slot.process.as_ref().map(|process| process.signal_group(signal)) {
        warn!(component.name = slot.spec.name, %error, "cannot signal it");
    }
}

/// Waits for the end of a process, also when the system runs out of descriptors to watch it with.
async fn end_of(process: &Process) -> Ending {
    loop {
        match process.ended().await {
            Ok(ending) => return ending,
            Err(error) => {
                warn!(process.pid = process.pid(), %error, "cannot watch a process; looking at it now and then");
                sleep(OWN_STALL).await;
                if !process.is_running() {
                    return Ending::Unknown;
                }
            }
        }
    }
}
