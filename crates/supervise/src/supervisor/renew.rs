//! Renewing proofs as `renewal::decide` says: ends one process on purpose, waits until it is back, records how that
//! went.
//!
//! It is ended with SIGKILL, as a crash or the kernel would: a process that is asked to end proves that it can be asked.

use std::{
    collections::BTreeSet,
    fs, io, thread,
    time::{Duration, Instant},
};

use nodepanel_types::{
    Timestamp,
    component::{ComponentState, Occasion, Proof, Renewal, RenewalResult, Restarter, Role},
};
use tracing::{error, info, warn};

use super::{connections::ConnectionId, core::Supervisor, overseer};
use crate::{
    policy::in_words,
    process::{Process, Signal},
    renewal::{Candidate, Decision, HALTED, Host, PURPOSE, decide},
    wire::protocol::{BuildState, FromSupervisor, Recovery},
};

/// How long one may be on its way back before that is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long what somebody asked for is tried.
const ASKED: Duration = Duration::from_secs(600);

/// What goes on.
#[derive(Default)]
pub(super) struct Renewing {
    active: Option<Active>,
    /// What somebody asked for and did not get yet, and until when it is tried.
    asked: BTreeSet<String>,
    asked_until: Option<Instant>,
    waits_for: Option<String>,
    /// Since when everything has been as it should be.
    quiet_since: Option<Instant>,
}

struct Active {
    name: String,
    role: Role,
    begun: Instant,
    /// The proof that is to be renewed.
    before: Option<Timestamp>,
}

impl Renewing {
    /// Something ended.
    pub(super) fn disturbed(&mut self) {
        self.quiet_since = None;
    }
}

impl Supervisor {
    /// Goes on with the renewal of proofs, where one is going on, asked for, or due.
    pub(super) fn renew(&mut self, now: Instant) {
        let unquiet = self.unquiet();
        self.renewing.quiet_since = match unquiet {
            None => self.renewing.quiet_since.or(Some(now)),
            Some(_) => None,
        };
        if self.renewing.asked_until.is_some_and(|until| now > until) {
            self.renewing.asked.clear();
            self.renewing.asked_until = None;
        }
        if let Some(active) = self.renewing.active.take() {
            return self.follow(active, now);
        }
        self.renewing.waits_for = None;
        if self.plan.renewal.window.is_none() && self.renewing.asked.is_empty() {
            return;
        }
        let host = Host {
            up_for: now.saturating_duration_since(self.begun),
            unquiet,
            quiet_for: self.renewing.quiet_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)),
            load: load(),
            serving: self.slots.iter().filter(|slot| slot.spec.role == Role::Api && slot.life.is_serving()).count(),
            candidates: self.candidates(),
            halted_at: self.recorder.last(|entry| entry.what == HALTED).map(|entry| entry.at),
        };
        match decide(&self.plan.renewal, self.clock.now(), &host, &self.renewing.asked) {
            Decision::Rest => self.renewing.asked.clear(),
            Decision::Wait(reason) => self.renewing.waits_for = Some(reason),
            Decision::End(name) => self.end_on_purpose(name, now),
        }
    }

    /// Somebody wants all proofs renewed now.
    pub(super) fn renew_now(&mut self, id: ConnectionId) {
        let of_worker = self.connections.get_mut(id).is_some_and(|connection| connection.slot.is_some());
        let reason = if of_worker {
            "a worker renews no proofs"
        } else if self.stopping.is_some() {
            "everything is being stopped"
        } else if !self.renewing.asked.is_empty() {
            "proofs are being renewed already"
        } else {
            ""
        };
        if !reason.is_empty() {
            self.connections.send(id, FromSupervisor::Refused { reason: reason.to_owned() });
            return;
        }
        let lone = self.slots.iter().filter(|slot| slot.spec.role == Role::Api).count() < 2;
        let candidates = self.candidates().into_iter().filter(|candidate| !lone || candidate.role != Role::Api);
        self.renewing.asked = candidates.map(|candidate| candidate.name).collect();
        self.renewing.asked_until = Some(Instant::now() + ASKED);
        info!("asked to renew the proofs of {} processes", self.renewing.asked.len());
        self.connections.send(id, FromSupervisor::Accepted);
    }

    /// How proofs are renewed, for people.
    pub(super) fn renewal(&self) -> Renewal {
        let (now, window) = (self.clock.now(), self.plan.renewal.window);
        let tried = |entry: &Recovery| entry.what == HALTED || is_renewal(&entry.why);
        let last = self.recorder.last(tried).map(|entry| RenewalResult {
            at: entry.at,
            component: entry.component.clone(),
            renewed: entry.what != HALTED,
            text: match entry.took_ms {
                _ if entry.what == HALTED => entry.why.clone(),
                Some(took) => format!("was ended on purpose and back after {took} ms"),
                None => "was ended on purpose and came back".to_owned(),
            },
        });
        Renewal {
            window: window.map(|window| window.to_string()),
            next_at: window.map(|window| window.next(now)),
            until: window.and_then(|window| window.around(now)).map(|(_, end)| end),
            renewing: self.renewing.active.as_ref().map(|active| active.name.clone()),
            asked: self.renewing.asked.iter().cloned().collect(),
            waits_for: self.renewing.waits_for.clone(),
            last,
        }
    }

    /// Writes down that no more are ended this time.
    pub(super) fn halt_renewal(&mut self, component: &str, why: String) {
        error!(component.name = component, "{component} {why}; no more proofs are renewed this time");
        self.renewing.asked.clear();
        self.recorder.append(Recovery {
            at: self.clock.now(),
            component: component.to_owned(),
            what: HALTED.to_owned(),
            why,
            took_ms: None,
            tries: 0,
            occasion: None,
            observed_by: None,
            lost: None,
        });
    }

    /// Holds a proof that was renewed against its target.
    pub(super) fn judge_renewal(&mut self, component: &str, role: Role, proof: &Proof) {
        if !is_renewal(&proof.why) {
            return;
        }
        let took = proof.took_ms.map(Duration::from_millis);
        let target = self.plan.renewal.target(role);
        if let Some(took) = took.filter(|took| *took > target) {
            let why = format!("came back after {}, and {} is its target", in_words(took), in_words(target));
            self.halt_renewal(component, why);
        }
    }

    /// Waits for the one that was ended.
    fn follow(&mut self, active: Active, now: Instant) {
        let proof = self.recorder.proof(&active.name).filter(|proof| Some(proof.at) != active.before).cloned();
        if let Some(proof) = proof {
            self.renewing.asked.remove(&active.name);
            if proof.occasion == Occasion::Drill {
                self.judge_renewal(&active.name, active.role, &proof);
            } else {
                self.halt_renewal(&active.name, format!("{} when its proof was to be renewed", proof.why));
            }
        } else if now.saturating_duration_since(active.begun) > PATIENCE {
            let why = format!("did not come back within {} when its proof was to be renewed", in_words(PATIENCE));
            self.halt_renewal(&active.name, why);
        } else {
            self.renewing.active = Some(active);
        }
    }

    fn end_on_purpose(&mut self, name: String, now: Instant) {
        warn!(component.name = name, "ending {name} on purpose, to see it come back");
        if name == self.own.name {
            // It goes on when that is on disk.
            self.renewing.active = Some(self.active(name, Role::Supervisor, now));
            return self.announce_own(None, PATIENCE, PURPOSE.to_owned());
        }
        self.announced.note(&name, PURPOSE.to_owned(), now + PATIENCE);
        let slot = self.slots.iter().find(|slot| slot.spec.name == name);
        let process = slot.map_or_else(|| self.overseer.process(), |slot| slot.process.clone());
        let role = slot.map_or(Role::Keeper, |slot| slot.spec.role);
        let killed = process.map(|process| process.signal(Signal::KILL));
        if let Some(Err(error)) = killed {
            warn!(component.name = name, %error, "cannot signal it");
        }
        self.renewing.active = Some(self.active(name, role, now));
    }

    fn active(&self, name: String, role: Role, begun: Instant) -> Active {
        let before = self.recorder.proof(&name).map(|proof| proof.at);
        Active { name, role, begun, before }
    }

    /// The next supervisor knows that the end of this one is on purpose, or cannot be told.
    pub(super) fn end_own(&mut self, outcome: io::Result<()>) {
        let ended = outcome.and_then(|()| {
            let own = Process::open(std::process::id()).map_err(io::Error::other)?;
            own.ok_or(io::ErrorKind::NotFound)?.signal(Signal::KILL).map_err(io::Error::other)
        });
        // Reached only where it failed.
        if let Err(error) = ended {
            self.renewing.active = None;
            self.halt_renewal(&self.own.name.clone(), format!("could not be ended on purpose: {error}"));
        }
    }

    /// Whose proof can be renewed: those that somebody starts again.
    fn candidates(&self) -> Vec<Candidate> {
        let candidate = |name: &str, role| Candidate {
            name: name.to_owned(),
            role,
            proven_at: self.recorder.proof(name).map(|proof| proof.at),
        };
        let mut candidates: Vec<Candidate> =
            self.slots.iter().map(|slot| candidate(&slot.spec.name, slot.spec.role)).collect();
        if self.restarter() == Restarter::Keeper {
            candidates.push(candidate(&self.own.name, Role::Supervisor));
        }
        if self.overseer.is_kept_by_systemd() {
            candidates.push(candidate(overseer::NAME, Role::Keeper));
        }
        candidates
    }

    /// Why this is no time to end anything on purpose, as a sentence.
    fn unquiet(&self) -> Option<String> {
        if self.stopping.is_some() {
            return Some("Everything is being stopped.".to_owned());
        }
        if self.comeback.is_some() || !self.equipped {
            return Some("The supervisor has only just been started.".to_owned());
        }
        if matches!(self.build_state(), FromSupervisor::Build { state, .. } if state != BuildState::Settled) {
            return Some("A build or a configuration is on probation.".to_owned());
        }
        let keeper = self.keeper();
        if keeper.is_some_and(|keeper| keeper.state == ComponentState::BackingOff) {
            return Some("The keeper is away.".to_owned());
        }
        let worker = self.slots.iter().find(|slot| !slot.life.is_serving());
        if let Some(worker) = worker {
            return Some(format!("The process {} is not ready.", worker.spec.name));
        }
        let busy = |state| matches!(state, ComponentState::Starting | ComponentState::Draining);
        let mut children = self.slots.iter().flat_map(|slot| &slot.children);
        let child = children.find(|child| busy(child.state));
        child.map(|child| format!("The process {} is starting or ending.", child.name))
    }
}

/// Whether something ended because its proof was to be renewed.
fn is_renewal(why: &str) -> bool {
    why.strip_suffix(')').is_some_and(|why| why.ends_with(PURPOSE))
}

/// Tasks that want a processor, in percent of the processors, over the last minute.
fn load() -> Option<u32> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    // "0.35 0.20 0.15 1/302 4711": in hundredths.
    let (whole, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    let wanted = whole.parse::<u32>().ok()?.saturating_mul(100).saturating_add(hundredths.parse::<u32>().ok()?);
    let processors =
        thread::available_parallelism().map_or(1, |number| u32::try_from(number.get()).unwrap_or(u32::MAX));
    Some(wanted / processors)
}
