//! What the supervisor knows of those above it: the keeper, and whoever starts that.
//!
//! The keeper says who it is and is watched from then on; whether somebody starts it again, and at boot, is asked of
//! systemd now and then. A keeper that comes back by itself is recorded as a recovery, like that of a worker; one that a
//! person starts again proves nothing and is not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::{
    Millis, Timestamp,
    component::{AtBoot, Component, ComponentState, Observer, Occasion, Proof, Restarter, Role, Supervision, lost},
};
use tracing::{info, warn};

use super::{
    core::{Event, Supervisor},
    slot::millis,
};
use crate::{
    process::{Identity, Process},
    record::{ProcessRecord, Record},
    service,
    wire::protocol::Recovery,
};

/// How often systemd is asked: units are enabled and disabled by hand, seldom.
const LOOK: Duration = Duration::from_secs(60);
/// A keeper that is younger than the machine by less than this was started with it; by hand it takes longer.
const WITH_BOOT: Duration = Duration::from_secs(300);
/// The name of the component.
pub(super) const NAME: &str = "keeper";

/// Who starts a process, and whether it is there after a boot.
pub(super) type Found = Option<(Restarter, AtBoot)>;

/// Those above the supervisor.
#[derive(Default)]
pub(super) struct Overseer {
    keeper: Option<Arc<Process>>,
    /// What is remembered of keepers; `None` when there was never one.
    past: Option<ProcessRecord>,
    /// A keeper ended, and the next one is not known to have been started by itself.
    loss: Option<Loss>,
    /// What was found out of whoever is at the top.
    found: Found,
    next_look: Option<Instant>,
    /// The present boot of the machine.
    pub(super) boot_id: Option<String>,
}

struct Loss {
    why: String,
    occasion: Occasion,
    /// When it was seen to end.
    at: Option<Instant>,
    /// From its end to the first word of the next one.
    took: Option<Millis>,
}

impl Overseer {
    /// What the next supervisor must know.
    pub(super) fn record(&self) -> Option<ProcessRecord> {
        self.past.clone()
    }

    /// Everything ends because somebody asked for it: a keeper that ends now is not lost.
    pub(super) fn leave(&mut self) {
        self.keeper = None;
        self.loss = None;
        if let Some(past) = &mut self.past {
            past.identity = None;
            past.ready = false;
        }
    }

    /// Whether systemd starts the keeper again.
    pub(super) fn is_kept_by_systemd(&self) -> bool {
        self.keeper.is_some() && matches!(self.found, Some((Restarter::Systemd, _)))
    }

    /// The keeper.
    pub(super) fn process(&self) -> Option<Arc<Process>> {
        self.keeper.clone()
    }

    /// The process at the top, when that is the keeper.
    fn pid(&self) -> Option<u32> {
        self.keeper.as_ref().map(|keeper| keeper.pid())
    }
}

impl Supervisor {
    /// Takes up the keeper that the record names, or learns that it is gone.
    pub(super) fn find_keeper(&mut self, record: &Record) {
        self.overseer.past.clone_from(&record.keeper);
        let own_boot = self.own.identity.as_ref().map(|own| own.boot_id.clone());
        let booted = record.boot_id.is_some() && record.boot_id != own_boot;
        self.overseer.boot_id = own_boot;
        let recorded = record.keeper.as_ref().and_then(|keeper| keeper.identity.as_ref());
        match recorded.map(Process::adopt) {
            Some(Ok(Some(process))) => return self.watch_keeper(process),
            Some(Ok(None)) | None => {}
            Some(Err(error)) => warn!(%error, "cannot watch the keeper"),
        }
        let lost = |why: &str, occasion| Some(Loss { why: why.to_owned(), occasion, at: None, took: None });
        self.overseer.loss = match recorded {
            _ if booted => lost("ended with its host", Occasion::Boot),
            Some(_) => lost("ended while no supervisor ran", Occasion::Fault),
            None => None,
        };
    }

    /// A process says that it keeps this supervisor.
    pub(super) fn kept_by(&mut self, pid: u32) {
        if self.overseer.pid() == Some(pid) {
            return;
        }
        let process = match Process::open(pid) {
            Ok(Some(process)) => process,
            Ok(None) => return,
            Err(error) => return warn!(%error, "cannot watch the keeper"),
        };
        info!(process.pid = pid, "kept by process {pid}");
        if let Some(loss) = &mut self.overseer.loss {
            loss.took = loss.at.map(|at| millis(at.elapsed()));
        }
        let past = self.overseer.past.get_or_insert_with(|| ProcessRecord::empty(NAME, Role::Keeper));
        past.identity = Some(process.identity().clone());
        past.started_at = Some(self.clock.now());
        past.ready = true;
        self.watch_keeper(process);
    }

    /// The keeper goes on as the build that has proven itself.
    pub(super) fn keeper_renewed(&mut self, pid: Option<u32>, took_ms: Millis) {
        if pid.is_none() || self.overseer.pid() != pid {
            return;
        }
        info!(process.pid = pid, "the keeper goes on as the build that has proven itself");
        self.recorder.append(Recovery {
            at: self.clock.now(),
            component: NAME.to_owned(),
            what: "went on as the new build, in the same process".to_owned(),
            why: "was of an older build than the one that has proven itself".to_owned(),
            took_ms: Some(took_ms),
            tries: 1,
            occasion: None,
            observed_by: None,
            lost: Some("Nothing.".to_owned()),
        });
    }

    fn watch_keeper(&mut self, process: Process) {
        let process = Arc::new(process);
        let (watched, events, pid) = (Arc::clone(&process), self.sender.clone(), process.pid());
        tokio::spawn(async move {
            if watched.ended().await.is_ok() {
                // The supervisor is gone when this fails, and with it the interest.
                let _ = events.send(Event::KeeperEnded { pid }).await;
            }
        });
        self.overseer.keeper = Some(process);
        self.overseer.found = None;
        self.overseer.next_look = None;
    }

    /// Whoever kept this supervisor has ended; the workers and the games do not notice.
    pub(super) fn keeper_ended(&mut self, pid: u32) {
        if self.overseer.pid() != Some(pid) || self.stopping.is_some() {
            return;
        }
        let (why, occasion) = match self.announced.take(NAME, Instant::now()) {
            Some(purpose) => (format!("was ended, on purpose ({purpose})"), Occasion::Drill),
            None => ("ended without being asked to".to_owned(), Occasion::Fault),
        };
        warn!(process.pid = pid, "the keeper {why}; everything goes on without it");
        self.overseer.keeper = None;
        self.overseer.loss = Some(Loss { why: why.clone(), occasion, at: Some(Instant::now()), took: None });
        if let Some(past) = &mut self.overseer.past {
            past.identity = None;
            past.ready = false;
            past.last_exit = Some(why);
        }
    }

    /// Has it found out who starts whoever is at the top, when that is due.
    pub(super) fn look_who_oversees(&mut self, now: Instant) {
        if self.overseer.next_look.is_some_and(|next| now < next) {
            return;
        }
        self.overseer.next_look = Some(now + LOOK);
        // What was found of a keeper that ended says who starts the next one.
        if self.overseer.keeper.is_none() && self.overseer.loss.is_some() {
            return;
        }
        let pid = self.overseer.pid().unwrap_or_else(std::process::id);
        let events = self.sender.clone();
        tokio::spawn(async move {
            let found = service::starter(pid).await;
            let _ = events.send(Event::Overseen { pid, found }).await;
        });
    }

    /// It was found out who starts the process at the top.
    pub(super) fn overseen(&mut self, pid: u32, found: Found) {
        if pid != self.overseer.pid().unwrap_or_else(std::process::id) {
            return;
        }
        let Some((restarter, at_boot)) = found else { return };
        self.overseer.found = Some((restarter, at_boot.clone()));
        if self.overseer.keeper.is_none() {
            return;
        }
        let Some(loss) = self.overseer.loss.take() else { return };
        let by_itself = match loss.occasion {
            Occasion::Boot => matches!(at_boot, AtBoot::Enabled { .. }) && self.keeper_came_with_boot(),
            Occasion::Fault | Occasion::Drill | Occasion::Planned => restarter == Restarter::Systemd,
        };
        if !by_itself {
            return;
        }
        let took_ms = loss.took.or_else(|| (loss.occasion == Occasion::Boot).then(since_boot));
        if let Some(past) = &mut self.overseer.past {
            if loss.occasion != Occasion::Drill {
                past.restarts = past.restarts.saturating_add(1);
            }
            past.last_recovery_ms = took_ms.or(past.last_recovery_ms);
            past.last_exit = Some(loss.why.clone());
        }
        self.recorder.append(Recovery {
            at: self.clock.now(),
            component: NAME.to_owned(),
            what: "started again by systemd".to_owned(),
            why: loss.why,
            took_ms,
            tries: 1,
            occasion: Some(loss.occasion),
            observed_by: None,
            lost: Some(lost(Role::Keeper, loss.occasion).to_owned()),
        });
    }

    fn keeper_came_with_boot(&self) -> bool {
        let keeper = self.overseer.keeper.as_ref();
        keeper.is_some_and(|keeper| keeper.identity().since_boot().saturating_sub(first_process()) < WITH_BOOT)
    }

    /// The keeper as a component; `None` when nobody ever said to be one.
    pub(super) fn keeper(&self) -> Option<Component> {
        let past = self.overseer.past.as_ref()?;
        let found = self.overseer.found.as_ref();
        let restarter = found.map(|(restarter, _)| *restarter);
        let (state, detail) = match (&self.overseer.keeper, restarter) {
            (Some(_), _) => (ComponentState::Ready, None),
            (None, Some(Restarter::Systemd)) => (ComponentState::BackingOff, Some("systemd starts it again")),
            (None, _) => (ComponentState::Stopped, Some("nobody is known to start it again")),
        };
        let mut supervision = self.supervision(NAME, Restarter::Unknown);
        supervision.restarted_by = restarter;
        if self.overseer.pid().is_some_and(|pid| self.outlives_build(pid)) {
            supervision.doubts.push(format!(
                "The process {NAME} is of an older build than the others: it could not go on as the new one. Its log says \
                 why; `systemctl restart nodepanel` renews it, and game servers go on."
            ));
        }
        Some(Component {
            name: NAME.to_owned(),
            role: Role::Keeper,
            pid: self.overseer.pid(),
            state,
            started_at: past.started_at.filter(|_| self.overseer.keeper.is_some()),
            restarts: past.restarts,
            last_recovery_ms: past.last_recovery_ms,
            last_exit: past.last_exit.clone(),
            detail: detail.map(str::to_owned),
            supervision,
        })
    }

    /// Who starts this supervisor again.
    pub(super) fn restarter(&self) -> Restarter {
        match (&self.overseer.keeper, &self.overseer.found) {
            (Some(_), _) => Restarter::Keeper,
            (None, Some((restarter, _))) if self.overseer.past.is_none() => *restarter,
            (None, _) => Restarter::Nobody,
        }
    }

    /// The supervision of a component that `restarter` starts again.
    pub(super) fn supervision(&self, component: &str, restarter: Restarter) -> Supervision {
        Supervision {
            restarted_by: Some(restarter),
            at_boot: self.overseer.found.as_ref().map(|(_, at_boot)| at_boot.clone()),
            proof: self.recorder.proof(component).cloned(),
            doubts: Vec::new(),
        }
    }

    /// What a worker keeps itself, as it is shown: the worker starts it again, and saw how that went.
    pub(super) fn supervised_child(&self, child: &Component) -> Component {
        let proof = |at: Timestamp| {
            Some(Proof {
                at,
                occasion: Occasion::Fault,
                why: child.last_exit.clone()?,
                took_ms: Some(child.last_recovery_ms?),
                observed_by: Observer::Agent,
            })
        };
        let proof = child.started_at.and_then(proof);
        let doubts = child.supervision.doubts.clone();
        let supervision = Supervision { proof, doubts, ..self.supervision(&child.name, Restarter::Agent) };
        Component { supervision, ..child.clone() }
    }
}

/// How long this machine has run: since its first process, because a container has the kernel of its host.
pub(super) fn since_boot() -> Millis {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let kernel = Duration::from_secs(now.tv_sec.unsigned_abs()) + Duration::from_nanos(now.tv_nsec.unsigned_abs());
    millis(kernel.saturating_sub(first_process()))
}

/// When the machine's first process was started, as the kernel counts.
fn first_process() -> Duration {
    Identity::read(1).ok().flatten().map_or(Duration::ZERO, |first| first.since_boot())
}
