//! A machine that runs game servers, as far as the control planes can tell: the agent's answers and events, without
//! processes. What the agent holds is durable; games go on while it is dead.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use nodepanel_types::{
    JobId, NodeId, ServerId, Timestamp,
    clock::{Clock, IdSource as _},
    state::{Exit, Phase, PowerAction, PowerIntent, Run, StopReason},
    stats::NodeUsage,
    wire::{
        Applied, ApplyOutcome, ApplyRequest, ApplyResponse, DesiredServer, InstallState, NodeFacts, NodeFrame,
        ObservedServer, PortCheckResponse, Remove, path,
    },
};
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{chance::Chance, story::Teller};

/// How often a machine looks at its servers.
const TICK: Duration = Duration::from_millis(20);

pub struct Machine {
    pub id: NodeId,
    clock: Arc<dyn Clock>,
    chance: Chance,
    teller: Teller,
    events: broadcast::Sender<NodeFrame>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    down: bool,
    calm: bool,
    servers: BTreeMap<ServerId, Held>,
    removed: BTreeMap<ServerId, u64>,
    acts: Vec<Act>,
    pids: u32,
}

/// A server as the agent has it on its disk, and its process.
pub struct Held {
    pub desired: DesiredServer,
    pub done: u64,
    installed: u64,
    phase: Phase,
    since: Timestamp,
    restarts: u64,
}

/// Something that was done to a game because somebody asked.
pub struct Act {
    pub server: ServerId,
    pub power: PowerIntent,
}

impl Held {
    pub fn runs(&self) -> bool {
        self.phase.run().is_some()
    }
}

impl Machine {
    pub fn new(id: NodeId, clock: Arc<dyn Clock>, chance: Chance, teller: Teller) -> Arc<Self> {
        let machine = Self { id, clock, chance, teller, events: broadcast::Sender::new(256), state: Mutex::default() };
        let machine = Arc::new(machine);
        let ticking = Arc::clone(&machine);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                ticking.look();
            }
        });
        machine
    }

    /// Kills the agent, or starts it again. Games are not touched.
    pub fn set_down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }

    pub fn is_down(&self) -> bool {
        self.state.lock().unwrap().down
    }

    /// From now on no game crashes any more.
    pub fn calm_down(&self) {
        self.state.lock().unwrap().calm = true;
    }

    /// Looks at what the machine holds.
    pub fn with<T>(&self, look: impl FnOnce(&BTreeMap<ServerId, Held>, &[Act]) -> T) -> T {
        let state = self.state.lock().unwrap();
        look(&state.servers, &state.acts)
    }

    /// Answers a request of a control plane; `None` when the agent is dead.
    pub fn answer(&self, path: &str, body: Option<&Bytes>) -> Option<Result<Bytes, (u16, String)>> {
        let mut state = self.state.lock().unwrap();
        if state.down {
            return None;
        }
        let body = body.map_or(&b"null"[..], |body| body);
        Some(match path {
            path::APPLY => {
                let request: ApplyRequest = serde_json::from_slice(body).unwrap();
                let servers = request.servers.into_iter().map(|desired| self.apply(&mut state, desired)).collect();
                Ok(json(&ApplyResponse { servers }))
            }
            path::REMOVE => {
                let request: Remove = serde_json::from_slice(body).unwrap();
                self.remove(&mut state, &request)
            }
            path::PORTS_CHECK => Ok(json(&PortCheckResponse { taken: Vec::new() })),
            other => Err((404, format!("there is no {other}"))),
        })
    }

    fn apply(&self, state: &mut State, desired: DesiredServer) -> Applied {
        let server = desired.server;
        if state.removed.contains_key(&server) {
            return Applied { server, outcome: ApplyOutcome::Refused { reason: "it was removed".to_owned() } };
        }
        let held = state.servers.get(&server).map(|held| held.desired.generation);
        let outcome = match held {
            Some(held) if held > desired.generation => {
                self.teller.tell("applied late", format_args!("{server}: {} after {held}", desired.generation));
                ApplyOutcome::Stale { held }
            }
            Some(held) if held == desired.generation => ApplyOutcome::Unchanged,
            _ => {
                self.take(state, desired);
                ApplyOutcome::Applied
            }
        };
        Applied { server, outcome }
    }

    fn take(&self, state: &mut State, desired: DesiredServer) {
        let server = desired.server;
        let now = self.clock.now();
        if let Some(held) = state.servers.get_mut(&server) {
            held.desired = desired;
        } else {
            let job = JobId::from_uuid(self.chance.uuid());
            let phase = Phase::Installing { job, attempt: 1, step: "twin".to_owned(), percent: 0 };
            let held = Held { desired, done: 0, installed: 0, phase, since: now, restarts: 0 };
            state.servers.insert(server, held);
        }
        self.tell(state, server);
    }

    fn remove(&self, state: &mut State, request: &Remove) -> Result<Bytes, (u16, String)> {
        if let Some(held) = state.servers.get(&request.server)
            && held.desired.generation > request.generation
        {
            return Err((409, "it is of a newer generation".to_owned()));
        }
        if state.removed.insert(request.server, request.generation).is_none() {
            self.teller.tell("deleted", request.server);
        }
        if state.servers.remove(&request.server).is_some() {
            let _ = self.events.send(NodeFrame::Removed { server: request.server });
        }
        Ok(Bytes::new())
    }

    /// Opens the event stream: who speaks, everything that is held, and what happens from now on.
    pub fn listen(&self) -> Option<(Vec<NodeFrame>, broadcast::Receiver<NodeFrame>)> {
        let state = self.state.lock().unwrap();
        if state.down {
            return None;
        }
        let now = self.clock.now();
        let facts = NodeFacts {
            node: self.id,
            version: "simulated".to_owned(),
            hostname: "simulated".to_owned(),
            system: "simulated".to_owned(),
            booted_at: now,
            agent_started_at: now,
            warnings: Vec::new(),
        };
        let usage = NodeUsage {
            cpus: 2,
            cpu_percent: None,
            load_1m: None,
            memory_total_bytes: 1 << 34,
            memory_used_bytes: 1 << 33,
            disk_total_bytes: 1 << 40,
            disk_used_bytes: 1 << 30,
        };
        let servers = state.servers.iter().map(|(id, held)| observed(*id, held)).collect();
        let first = vec![
            NodeFrame::Hello(facts),
            NodeFrame::Snapshot { servers },
            NodeFrame::Stats { node: usage, servers: Vec::new() },
        ];
        Some((first, self.events.subscribe()))
    }

    fn tell(&self, state: &State, server: ServerId) {
        if let Some(held) = state.servers.get(&server) {
            let _ = self.events.send(NodeFrame::Server(observed(server, held)));
        }
    }

    /// What agents do all the time: compare what should be with what is.
    fn look(&self) {
        let mut state = self.state.lock().unwrap();
        let now = self.clock.now();
        let servers: Vec<ServerId> = state.servers.keys().copied().collect();
        for id in servers {
            let (down, calm) = (state.down, state.calm);
            let mut pids = state.pids;
            let held = state.servers.get_mut(&id).unwrap();
            let mut act = None;
            let next = if let Some(run) = held.phase.run().filter(|_| !calm && self.chance.once_in(400)) {
                self.teller.tell("games crashed", format_args!("{id} (process {})", run.pid));
                let restart_at = now.plus(200);
                Some(Phase::Crashed { exit: Exit::Code { code: 3 }, restart_at, crashes: 1 })
            } else if down {
                None
            } else {
                next(held, &mut pids, &mut act, now)
            };
            let changed = next.is_some();
            if let Some(phase) = next {
                held.phase = phase;
                held.since = now;
            }
            state.pids = pids;
            state.acts.extend(act.map(|power| Act { server: id, power }));
            if changed && !down {
                self.tell(&state, id);
            }
        }
    }
}

/// What a server does next, if anything; tells what was done because somebody asked.
fn next(held: &mut Held, pids: &mut u32, act: &mut Option<PowerIntent>, now: Timestamp) -> Option<Phase> {
    let mut run = || {
        *pids += 1;
        Run { pid: *pids, started_at: now }
    };
    let waited = now.since(held.since);
    if held.installed < held.desired.install_serial {
        held.installed = held.desired.install_serial;
        return None;
    }
    if matches!(held.phase, Phase::Installing { .. }) {
        return (waited > 150).then_some(Phase::Stopped { reason: StopReason::NeverStarted });
    }
    let power = held.desired.power;
    if power.serial > held.done {
        held.done = power.serial;
        *act = Some(power);
        let asked = Phase::Stopped { reason: StopReason::Asked { exit: Exit::Code { code: 0 }, killed: false } };
        return match power.action {
            PowerAction::Start if held.phase.run().is_some() => None,
            PowerAction::Start | PowerAction::Restart => Some(Phase::Starting { run: Some(run()) }),
            PowerAction::Stop | PowerAction::Kill => Some(asked),
        };
    }
    match &held.phase {
        Phase::Starting { run: Some(run) } if waited > 60 => Some(Phase::Running { run: *run, ready_at: now }),
        Phase::Crashed { restart_at, .. } if power.action.wants_running() && *restart_at <= now => {
            held.restarts += 1;
            Some(Phase::Starting { run: Some(run()) })
        }
        _ => None,
    }
}

fn observed(server: ServerId, held: &Held) -> ObservedServer {
    ObservedServer {
        server,
        generation: held.desired.generation,
        power_serial: held.done,
        phase: held.phase.clone(),
        looking: false,
        since: held.since,
        install: InstallState::Succeeded { serial: held.installed, at: held.since, took_ms: 150 },
        automatic_restarts: held.restarts,
        notice: None,
    }
}

/// An answer in JSON.
fn json<T: Serialize>(value: &T) -> Bytes {
    serde_json::to_vec(value).unwrap().into()
}
