//! What the supervisor does when it is told or asked something over the control socket.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use nodepanel_types::{Millis, WorkerId, component::Role};
use tokio::time::timeout;
use tracing::{info, warn};

use super::{connections::ConnectionId, core::Supervisor, slot::millis};
use crate::{
    lifecycle::{Input, Phase},
    plan::Timing,
    process::{Process, Signal},
    sockets::matches,
    wire::protocol::{FromSupervisor, PROTOCOL, ToSupervisor},
};

/// The most recoveries in one answer.
const RECOVERIES: usize = 1_000;

/// How far the end of everything has come.
#[derive(Debug)]
pub(super) enum Stopping {
    /// The agents stop their game servers; nothing else ends before.
    Servers {
        /// The slots that have not said that they are done.
        pending: Vec<usize>,
        /// Then it goes on without them.
        until: Instant,
    },
    /// The workers end.
    Workers,
}

impl Stopping {
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Servers { until, .. } => Some(*until),
            Self::Workers => None,
        }
    }
}

struct Hello {
    name: String,
    worker_id: WorkerId,
    pid: u32,
    alone_ms: Option<Millis>,
}

impl Supervisor {
    pub(super) fn answer(&mut self, id: ConnectionId, message: ToSupervisor, descriptors: Vec<OwnedFd>) {
        match message {
            ToSupervisor::Hello { name, worker_id, pid, alone_ms, .. } => {
                self.hello(id, &Hello { name, worker_id, pid, alone_ms });
            }
            ToSupervisor::Ready => self.of_worker(id, Input::Ready),
            ToSupervisor::NotReady { reason } => self.of_worker(id, Input::NotReady(reason)),
            ToSupervisor::Alive => self.of_worker(id, Input::Alive),
            ToSupervisor::Children { components } => {
                if let Some(slot) = self.slot_of(id).and_then(|index| self.slots.get_mut(index)) {
                    slot.children = components;
                }
            }
            ToSupervisor::ServersStopped => {
                if let (Some(index), Some(Stopping::Servers { pending, .. })) = (self.slot_of(id), &mut self.stopping) {
                    pending.retain(|waiting| *waiting != index);
                }
            }
            ToSupervisor::Sockets { names } => self.keep_handed(names, descriptors),
            ToSupervisor::TakeSockets => self.give_sockets(id),
            ToSupervisor::Keeping => {
                if let Some(pid) = self.connections.get_mut(id).and_then(|connection| connection.peer.pid) {
                    self.kept_by(pid);
                }
            }
            ToSupervisor::KeeperRenewed { took_ms } => {
                let pid = self.connections.get_mut(id).and_then(|connection| connection.peer.pid);
                self.keeper_renewed(pid, took_ms);
            }
            ToSupervisor::Status => {
                let (components, keeper) = (self.components(), self.keeper().map(Box::new));
                let renewal = Some(Box::new(self.renewal()));
                self.connections.send(id, FromSupervisor::Status { components, keeper, renewal });
            }
            ToSupervisor::Recoveries { limit } => {
                let recoveries = self.recorder.newest(limit.min(RECOVERIES));
                self.connections.send(id, FromSupervisor::Recoveries { recoveries });
            }
            ToSupervisor::Stop { servers } => {
                info!(stop.servers = servers, "asked to stop by the command line");
                self.stop(servers);
                self.connections.send(id, FromSupervisor::Accepted);
            }
            ToSupervisor::Restart { name } => {
                let reply = self.restart(&name);
                self.connections.send(id, reply);
            }
            ToSupervisor::Announce { name, within_ms, purpose } => self.announce(id, &name, within_ms, purpose),
            ToSupervisor::RenewProofs => self.renew_now(id),
            ToSupervisor::Upgrade => self.upgrade(Some(id)),
            ToSupervisor::Build => {
                let state = self.build_state();
                self.connections.send(id, state);
            }
            ToSupervisor::Unknown => {}
        }
    }

    fn slot_of(&mut self, id: ConnectionId) -> Option<usize> {
        self.connections.get_mut(id)?.slot
    }

    fn of_worker(&mut self, id: ConnectionId, input: Input) {
        if let Some(index) = self.slot_of(id) {
            self.step(index, input);
        }
    }

    fn hello(&mut self, id: ConnectionId, hello: &Hello) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.peer.pid != Some(hello.pid) {
            let reason = format!("process {} said hello as process {}", connection.peer.pid.unwrap_or(0), hello.pid);
            warn!("{reason}");
            self.connections.send(id, FromSupervisor::Refused { reason });
            return;
        }
        let Some(index) = self.slots.iter().position(|slot| slot.spec.name == hello.name) else {
            return self.dismiss(id, hello, "the plan holds no worker of that name");
        };
        if !self.is_or_becomes(index, hello.pid) {
            return self.dismiss(id, hello, "another process has that place");
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.slot = Some(index);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.connection = Some(id);
            slot.worker_id = Some(hello.worker_id);
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.connections.send(id, FromSupervisor::Welcome { protocol: PROTOCOL, pid: std::process::id(), version });
        self.connections.send(id, FromSupervisor::ApiServers { servers: self.api_servers() });
        self.step(index, Input::Connected);
        self.back_with(index, hello.alone_ms);
        if !self.equipped {
            self.connections.send(id, FromSupervisor::GiveSockets);
        }
        self.repeat_orders(index, id);
    }

    /// Whether the process is the one of the slot, taking it in where the slot is empty: it was started by a
    /// supervisor that died before it could record it.
    fn is_or_becomes(&mut self, index: usize, pid: u32) -> bool {
        let Some(slot) = self.slots.get(index) else { return false };
        match (&slot.process, slot.life.phase()) {
            (Some(process), _) => process.pid() == pid,
            (None, Phase::Waiting | Phase::BackingOff { .. }) => {
                let Ok(Some(process)) = Process::open(pid) else { return false };
                info!(component.name = slot.spec.name, process.pid = pid, "took over a process that no record names");
                self.hold(index, process, self.clock.now());
                self.step(index, Input::Adopted { ready: false, age: Duration::ZERO });
                true
            }
            (None, _) => false,
        }
    }

    /// A worker that just connected may have missed what it was told.
    fn repeat_orders(&mut self, index: usize, id: ConnectionId) {
        let Some(slot) = self.slots.get(index) else { return };
        let message = match (slot.life.phase(), &self.stopping) {
            (Phase::Ending { .. }, _) => FromSupervisor::Drain { deadline_ms: millis(slot.spec.timing.drain) },
            (_, Some(Stopping::Servers { pending, until })) if pending.contains(&index) => {
                FromSupervisor::StopServers { deadline_ms: millis(until.saturating_duration_since(Instant::now())) }
            }
            _ => return,
        };
        self.connections.send(id, message);
    }

    /// Sends a worker away that has no place, and sees to it that it goes.
    fn dismiss(&mut self, id: ConnectionId, hello: &Hello, why: &str) {
        warn!(component.name = hello.name, process.pid = hello.pid, "sending a worker away: {why}");
        let timing = Timing::default();
        self.connections.send(id, FromSupervisor::Drain { deadline_ms: millis(timing.drain) });
        if let Ok(Some(process)) = Process::open(hello.pid) {
            tokio::spawn(async move { retire(&process, timing).await });
        }
    }

    fn restart(&mut self, name: &str) -> FromSupervisor {
        if self.stopping.is_some() {
            return FromSupervisor::Refused { reason: "everything is being stopped".to_owned() };
        }
        let Some(index) = self.slots.iter().position(|slot| slot.spec.name == name) else {
            let names: Vec<&str> = self.slots.iter().map(|slot| slot.spec.name.as_str()).collect();
            let reason = format!("there is no component {name:?} to restart; there are {}", names.join(", "));
            return FromSupervisor::Refused { reason };
        };
        info!(component.name = name, "asked to restart it by the command line");
        self.step(index, Input::Restart);
        FromSupervisor::Accepted
    }

    /// Begins to end everything; asked again with `servers`, the game servers are stopped after all if the agents
    /// still run.
    pub(super) fn stop(&mut self, servers: bool) {
        let now = Instant::now();
        let agents: Vec<usize> = (0..self.slots.len())
            .filter(|index| self.slots.get(*index).is_some_and(|slot| slot.spec.role == Role::Agent))
            .collect();
        match &self.stopping {
            Some(Stopping::Workers) => {}
            Some(Stopping::Servers { .. }) if servers => {}
            None if servers && !agents.is_empty() => {
                let timeouts = agents.iter().filter_map(|index| Some(self.slots.get(*index)?.spec.timing.stop_servers));
                let until = now + timeouts.max().unwrap_or_default();
                let connected: Vec<_> = agents.iter().filter_map(|index| self.slots.get(*index)?.connection).collect();
                self.stopping = Some(Stopping::Servers { pending: agents, until });
                for id in connected {
                    let deadline_ms = millis(until.saturating_duration_since(now));
                    self.connections.send(id, FromSupervisor::StopServers { deadline_ms });
                }
            }
            None | Some(Stopping::Servers { .. }) => self.stop_workers(),
        }
    }

    /// Goes from stopping the game servers to ending the workers when that is done or takes too long.
    pub(super) fn expire_stop(&mut self, now: Instant) {
        let Some(Stopping::Servers { pending, until }) = &self.stopping else { return };
        if pending.is_empty() {
            self.stop_workers();
        } else if now >= *until {
            warn!("not every game server stopped in time; ending the workers, the rest stays running");
            self.stop_workers();
        }
    }

    fn stop_workers(&mut self) {
        self.stopping = Some(Stopping::Workers);
        for index in 0..self.slots.len() {
            self.step(index, Input::Stop);
        }
    }

    fn keep_handed(&mut self, names: Vec<String>, descriptors: Vec<OwnedFd>) {
        for (name, descriptor) in names.into_iter().zip(descriptors) {
            let Some(spec) = self.plan.sockets.iter().find(|spec| spec.name == name) else { continue };
            let socket = std::net::TcpListener::from(descriptor);
            if self.sockets.get(&name).is_none() && matches(&socket, spec) {
                info!(socket.name = name, socket.address = %spec.address, "took a listening socket back from a worker");
                self.sockets.insert(name, socket);
            }
        }
    }

    fn give_sockets(&mut self, id: ConnectionId) {
        let (names, sockets): (Vec<_>, Vec<_>) = self
            .sockets
            .iter()
            .filter_map(|(name, socket)| Some((name.to_owned(), OwnedFd::from(socket.try_clone().ok()?))))
            .unzip();
        self.connections.send_with(id, FromSupervisor::Sockets { names }, sockets);
    }
}

/// Ends a process that has no place in the plan: it was asked, then SIGTERM, then SIGKILL.
pub(super) async fn retire(process: &Process, timing: Timing) {
    if timeout(timing.drain, process.ended()).await.is_ok() {
        return;
    }
    let _ = process.signal_group(Signal::TERM);
    if timeout(timing.terminate, process.ended()).await.is_err() {
        let _ = process.signal_group(Signal::KILL);
    }
}
