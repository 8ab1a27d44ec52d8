//! Carrying out a move to another build: checks what is installed, replaces the workers as `build::rollout` says, and
//! lets the supervisor be succeeded by one of that build.

use std::{path::PathBuf, process::Stdio, time::Duration, time::Instant};

use tokio::{process::Command, time::timeout};
use tracing::{error, info, warn};

use super::{
    connections::ConnectionId,
    core::{Event, Supervisor},
};
use crate::{
    build::{
        Builds, Choice, Print,
        rollout::{Patience, Rollout, Stage, Step, Target},
    },
    lifecycle::{Input, Phase, Then},
    plan::{Plan, Upgrades},
    process::Ending,
    wire::protocol::{BuildState, FromSupervisor, Recovery},
};

/// How long an installed program may take to say that it can be used.
const CHECK: Duration = Duration::from_secs(10);

/// What the supervisor knows of builds.
pub(super) struct Moving {
    upgrades: Upgrades,
    rollout: Rollout,
    /// The copy of the last good build.
    good: PathBuf,
    /// The build that is moved to, or watched.
    candidate: Option<Print>,
    began: Instant,
    checking: bool,
    /// What became of the last move.
    outcome: Option<String>,
}

impl Moving {
    /// Finds out which build the workers of `plan` are to run, and makes them.
    pub(super) fn begin(plan: &mut Plan, now: Instant) -> Option<Self> {
        let upgrades = plan.upgrades.clone()?;
        let builds = Builds::open(&plan.data_dir);
        let installed = Print::of(&upgrades.installed).ok();
        let choice = builds.choose(installed);
        let fallback = matches!(&choice, Choice::OnProbation { good: Some(_) });
        let mut rollout = Rollout::new(Patience::default(), order(plan), fallback);
        let mut outcome = None;
        match choice {
            Choice::Proven => {}
            Choice::OnProbation { .. } => rollout.prove(now),
            Choice::Refused { good, why } => {
                warn!("the installed build was refused ({why}); running the last good one");
                for spec in &mut plan.workers {
                    spec.program.clone_from(&good);
                }
                outcome = Some(format!("refused: {why}"));
            }
        }
        let good = builds.good_path();
        Some(Self { upgrades, rollout, good, candidate: installed, began: now, checking: false, outcome })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rollout.deadline()
    }
}

/// Workers in the order of their replacement: what people notice least comes first, and of the API servers one is always
/// there.
fn order(plan: &Plan) -> Vec<usize> {
    use nodepanel_types::component::Role;
    const ORDER: [Role; 3] = [Role::Status, Role::Api, Role::Agent];
    let of = |role: Role| plan.workers.iter().enumerate().filter(move |(_, spec)| spec.role == role);
    ORDER.into_iter().flat_map(of).map(|(index, _)| index).collect()
}

impl Supervisor {
    /// Begins to move to what is installed now, after it was looked at.
    pub(super) fn upgrade(&mut self, asker: Option<ConnectionId>) {
        let stopping = self.stopping.is_some();
        let refusal = match &mut self.moving {
            None => Some("this supervisor runs no builds of its own".to_owned()),
            Some(_) if stopping => Some("everything is being stopped".to_owned()),
            Some(moving) if moving.checking => Some("an upgrade has just begun".to_owned()),
            Some(moving) => match moving.rollout.stage() {
                Stage::Settled => {
                    moving.checking = true;
                    None
                }
                Stage::Moving { .. } => Some("an upgrade is going on".to_owned()),
                Stage::Proving { until, .. } => Some(format!(
                    "the present build is still on probation, for {} s more",
                    until.saturating_duration_since(Instant::now()).as_secs() + 1
                )),
            },
        };
        if let Some(reason) = refusal {
            warn!("no upgrade: {reason}");
            if let Some(id) = asker {
                self.connections.send(id, FromSupervisor::Refused { reason });
            }
            return;
        }
        let Some(moving) = &self.moving else { return };
        let (upgrades, data_dir) = (moving.upgrades.clone(), self.plan.data_dir.clone());
        let events = self.sender.clone();
        tokio::spawn(async move {
            let outcome = examine(&upgrades, data_dir).await;
            let _ = events.send(Event::Examined { asker, outcome }).await;
        });
    }

    /// The installed build was looked at.
    pub(super) fn examined(&mut self, asker: Option<ConnectionId>, outcome: Result<Print, String>) {
        let Some(moving) = &mut self.moving else { return };
        moving.checking = false;
        let reply = match outcome {
            Ok(print) => {
                info!("moving to the installed build, one worker at a time");
                let now = Instant::now();
                moving.candidate = Some(print);
                moving.began = now;
                moving.outcome = None;
                let steps = moving.rollout.begin(now);
                self.take(steps);
                FromSupervisor::Accepted
            }
            Err(reason) => {
                error!("no upgrade, the running build stays: {reason}");
                moving.outcome = Some(format!("not begun: {reason}"));
                FromSupervisor::Refused { reason }
            }
        };
        if let Some(id) = asker {
            self.connections.send(id, reply);
        }
    }

    /// A process ended by itself: on probation that may be the build's fault. Killed from outside it is not.
    pub(super) fn held_against_build(&mut self, index: usize, ending: Ending) {
        let Some(slot) = self.slots.get(index) else { return };
        let at_fault = match slot.life.phase() {
            Phase::Ending { then: Then::Recover { .. }, .. } => true,
            Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. } => {
                !matches!(ending, Ending::Killed { signal: 9 } | Ending::Unknown)
            }
            _ => false,
        };
        let name = slot.spec.name.clone();
        let Some(moving) =
            self.moving.as_mut().filter(|moving| at_fault && slot.spec.program == moving.upgrades.installed)
        else {
            return;
        };
        let steps = moving.rollout.failed(index, &format!("{name} {ending} with it"), Instant::now());
        self.take(steps);
    }

    /// Lets the move go on.
    pub(super) fn advance(&mut self, now: Instant) {
        let Some(moving) = &mut self.moving else { return };
        for (index, slot) in self.slots.iter().enumerate() {
            moving.rollout.seen(index, slot.life.is_serving(), now);
        }
        if self.stopping.is_some() {
            return;
        }
        let slots = &self.slots;
        let name = |index: usize| slots.get(index).map_or_else(String::new, |slot| slot.spec.name.clone());
        let steps = moving.rollout.expire(now, name);
        self.take(steps);
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            let Some(moving) = &mut self.moving else { return };
            match step {
                Step::Replace(index, target) => {
                    let program = match target {
                        Target::Candidate => moving.upgrades.installed.clone(),
                        Target::Good => moving.good.clone(),
                    };
                    if let Some(slot) = self.slots.get_mut(index) {
                        // On the way back, whoever never left the good build goes on undisturbed.
                        let stays = target == Target::Good && slot.spec.program == program && slot.life.is_serving();
                        slot.spec.program = program;
                        if !stays {
                            self.step(index, Input::Restart);
                        }
                    }
                }
                Step::Succeed => self.successor = Some(moving.upgrades.installed.clone()),
                Step::Proven => {
                    info!("the build has proven itself; it is the one to return to from now on");
                    moving.outcome = None;
                    let Some(print) = moving.candidate else { continue };
                    let (data_dir, program) = (self.plan.data_dir.clone(), moving.upgrades.installed.clone());
                    self.recorder
                        .run(move || Builds::open(&data_dir).keep(&program, print).map_err(std::io::Error::other));
                }
                Step::Refused(why) => {
                    error!("the new build is refused: {why}; returning to the last good one");
                    moving.outcome = Some(format!("refused: {why}"));
                    if let Some(print) = moving.candidate {
                        let (data_dir, why) = (self.plan.data_dir.clone(), why.clone());
                        self.recorder
                            .run(move || Builds::open(&data_dir).refuse(print, &why).map_err(std::io::Error::other));
                    }
                    self.record("refused a new build and returned to the last good one", why);
                }
                Step::Returned => {
                    info!("every worker is back on the last good build");
                    // One of the refused build must not go on supervising.
                    if Print::of("/proc/self/exe".as_ref()).ok() == moving.candidate {
                        self.successor = Some(moving.good.clone());
                    }
                }
            }
        }
    }

    fn record(&mut self, what: &str, why: String) {
        let began = self.moving.as_ref().map(|moving| moving.began);
        let took_ms = began.map(|began| super::slot::millis(began.elapsed()));
        self.recorder.append(Recovery {
            at: self.clock.now(),
            component: self.own.name.clone(),
            what: what.to_owned(),
            why,
            took_ms,
            tries: 1,
            occasion: None,
            observed_by: None,
        });
    }

    /// What the command line is told.
    pub(super) fn build_state(&self) -> FromSupervisor {
        let Some(moving) = &self.moving else {
            return FromSupervisor::Refused { reason: "this supervisor runs no builds of its own".to_owned() };
        };
        let state = match moving.rollout.stage() {
            _ if moving.checking || self.successor.is_some() => BuildState::Moving,
            Stage::Settled => BuildState::Settled,
            Stage::Moving { target: Target::Candidate, .. } => BuildState::Moving,
            Stage::Moving { target: Target::Good, .. } => BuildState::Returning,
            Stage::Proving { .. } => BuildState::Proving,
        };
        FromSupervisor::Build { installed: moving.upgrades.installed.clone(), state, outcome: moving.outcome.clone() }
    }
}

/// Looks at the installed program: that it runs, that it accepts the configuration, and that there is a good one to
/// return to.
async fn examine(upgrades: &Upgrades, data_dir: PathBuf) -> Result<Print, String> {
    let program = &upgrades.installed;
    let check = Command::new(program)
        .args(&upgrades.check)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = match timeout(CHECK, check).await {
        Err(_) => {
            return Err(format!("{} did not say within {} s that it can be used", program.display(), CHECK.as_secs()));
        }
        Ok(Err(error)) => return Err(format!("{} cannot be run: {error}", program.display())),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().filter(|c| !c.is_control() || *c == '\n').take(500).collect();
        return Err(format!("{} cannot be used ({}): {said}", program.display(), output.status));
    }
    let program = program.clone();
    let kept = tokio::task::spawn_blocking(move || {
        let print = Print::of(&program).map_err(|error| format!("{} cannot be read: {error}", program.display()))?;
        let mut builds = Builds::open(&data_dir);
        // The build that runs now is the good one; its file may be gone, it itself is not.
        let own = PathBuf::from("/proc/self/exe");
        let running = Print::of(&own).map_err(|error| format!("the running program cannot be read: {error}"))?;
        let good = Print::of(&builds.good_path()).ok();
        if good != Some(running) {
            builds.keep(&own, running).map_err(|error| {
                let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
                format!("the running build cannot be kept to return to, {error}{cause}")
            })?;
        }
        Ok(print)
    });
    kept.await.unwrap_or_else(|error| Err(format!("the installed program could not be looked at: {error}")))
}
