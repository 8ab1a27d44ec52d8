//! Carrying out a move to another build or configuration: checks what is installed, replaces the workers as
//! `build::rollout` says, and lets the supervisor be succeeded by one of that build. A configuration is part of what is
//! moved to, and of what is returned to.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

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
    configuration::{CONFIGURATION, Configurations, Standing},
    lifecycle::{Input, Phase, Then},
    plan::{Plan, Upgrades, WorkerSpec},
    process::Ending,
    wire::protocol::{BuildState, FromSupervisor, Recovery},
};

/// How long an installed program may take to say that it can be used.
const CHECK: Duration = Duration::from_secs(10);
/// What is lost when a build or configuration is given up.
const LOST: &str = "The requests that its processes had accepted and not answered; the panel sends reads and keyed writes \
                    again. Nothing that was acknowledged.";

/// From the beginning of a move until everything follows that goes on by itself: longer than the proof and some rounds.
const TO_FOLLOW: Duration = Duration::from_secs(60);

/// What workers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// What they run.
    program: PathBuf,
    /// Which build that is; `None` when the file is gone.
    print: Option<Print>,
    /// The copy of the configuration that they read.
    configuration: PathBuf,
}

impl Version {
    fn is_of(&self, spec: &WorkerSpec) -> bool {
        spec.program == self.program && spec.configuration.as_ref() == Some(&self.configuration)
    }
}

/// What the supervisor knows of builds and configurations.
pub(super) struct Moving {
    upgrades: Upgrades,
    rollout: Rollout,
    /// What is returned to.
    good: Version,
    /// What is moved to, or watched.
    candidate: Version,
    began: Instant,
    checking: bool,
    /// What became of the last move.
    outcome: Option<String>,
}

impl Moving {
    /// Finds out which build the workers of `plan` are to run, and whether that and the configuration are known to be
    /// good; makes the workers so.
    pub(super) fn begin(plan: &mut Plan, now: Instant) -> Option<Self> {
        let upgrades = plan.upgrades.clone()?;
        let builds = Builds::open(&plan.data_dir);
        let installed = Print::of(&upgrades.installed).ok();
        let in_force = upgrades.configuration.in_force.clone();
        let mut outcome = None;
        // What to run, and what to return to.
        let (program, good_program) = match builds.choose(installed) {
            Choice::Proven => (upgrades.installed.clone(), Some(upgrades.installed.clone())),
            Choice::OnProbation { good } => (upgrades.installed.clone(), good),
            Choice::Refused { good, why } => {
                warn!("the installed build was refused ({why}); running the last good one");
                outcome = Some(format!("refused: {why}"));
                (good.clone(), Some(good))
            }
        };
        let good_configuration = match standing(&Configurations::open(&plan.data_dir), &in_force) {
            Standing::Proven => Some(in_force.clone()),
            Standing::OnProbation { good } => good,
            Standing::Refused { good, .. } => Some(good),
        };
        for spec in &mut plan.workers {
            spec.program.clone_from(&program);
            spec.configuration = Some(in_force.clone());
        }
        let proven = good_program.as_ref() == Some(&program) && good_configuration.as_ref() == Some(&in_force);
        let fallback = !proven && good_program.is_some() && good_configuration.is_some();
        let mut rollout = Rollout::new(Patience::default(), order(plan), fallback);
        if !proven {
            rollout.prove(now);
        }
        let good_program = good_program.unwrap_or_else(|| builds.good_path());
        let good = Version {
            print: Print::of(&good_program).ok(),
            program: good_program,
            configuration: good_configuration.unwrap_or_else(|| in_force.clone()),
        };
        let candidate = Version { program, print: installed, configuration: in_force };
        Some(Self { upgrades, rollout, good, candidate, began: now, checking: false, outcome })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rollout.deadline()
    }

    /// In what the candidate is not the good one.
    fn difference(&self) -> &'static str {
        let build = self.candidate.print != self.good.print;
        let configuration = self.candidate.configuration != self.good.configuration;
        match (build, configuration) {
            (true, true) => "build, with its configuration,",
            (false, true) => "configuration",
            _ => "build",
        }
    }
}

/// The build of this very process.
fn own_print() -> Option<Print> {
    Print::of("/proc/self/exe".as_ref()).ok()
}

fn standing(known: &Configurations, copy: &Path) -> Standing {
    match std::fs::read_to_string(copy) {
        Ok(text) => known.standing(&text),
        Err(_) => Standing::OnProbation { good: known.good() },
    }
}

/// Remembers that both are good.
fn prove(data_dir: &Path, candidate: &Version) -> io::Result<()> {
    let mut configurations = Configurations::open(data_dir);
    configurations.put_in_force(&candidate.configuration).map_err(io::Error::other)?;
    configurations.keep(&candidate.configuration).map_err(io::Error::other)?;
    let Some(print) = candidate.print else { return Ok(()) };
    Builds::open(data_dir).keep(&candidate.program, print).map_err(io::Error::other)
}

/// Remembers that whatever is new was refused: which of two new things is to blame nobody knows.
fn refuse(data_dir: &Path, candidate: &Version, good: &Version, why: &str) -> io::Result<()> {
    if candidate.configuration != good.configuration {
        Configurations::open(data_dir).refuse(&candidate.configuration, why).map_err(io::Error::other)?;
    }
    match candidate.print.filter(|print| Some(*print) != good.print) {
        Some(print) => Builds::open(data_dir).refuse(print, why).map_err(io::Error::other),
        None => Ok(()),
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
    pub(super) fn examined(&mut self, asker: Option<ConnectionId>, outcome: Result<Version, String>) {
        let Some(moving) = &mut self.moving else { return };
        moving.checking = false;
        let reply = match outcome {
            Ok(candidate) => {
                info!("moving to the installed build and configuration, one worker at a time");
                let now = Instant::now();
                moving.good = Version {
                    // The same build stays where it is; another one has taken its place.
                    program: if candidate.print == own_print() {
                        candidate.program.clone()
                    } else {
                        Builds::open(&self.plan.data_dir).good_path()
                    },
                    print: own_print(),
                    configuration: moving.upgrades.configuration.in_force.clone(),
                };
                moving.candidate = candidate;
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
        let Some(moving) = self.moving.as_mut().filter(|moving| at_fault && moving.candidate.is_of(&slot.spec)) else {
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
                    let version = match target {
                        Target::Candidate => &moving.candidate,
                        Target::Good => &moving.good,
                    };
                    if let Some(slot) = self.slots.get_mut(index) {
                        // On the way back, whoever never left what is good goes on undisturbed.
                        let stays = target == Target::Good && version.is_of(&slot.spec) && slot.life.is_serving();
                        slot.spec.program.clone_from(&version.program);
                        slot.spec.configuration = Some(version.configuration.clone());
                        if !stays {
                            self.step(index, Input::Restart);
                        }
                    }
                }
                Step::Succeed => {
                    self.successor = Some(moving.candidate.program.clone());
                    let copy = moving.candidate.configuration.clone();
                    self.put_in_force(copy);
                }
                Step::Proven => {
                    info!("the build and the configuration have proven themselves; they are returned to from now on");
                    moving.outcome = None;
                    let (data_dir, candidate) = (self.plan.data_dir.clone(), moving.candidate.clone());
                    self.recorder.run(move || prove(&data_dir, &candidate));
                }
                Step::Refused(why) => {
                    let what = moving.difference();
                    error!("the new {what} is refused: {why}; returning to the last good one");
                    moving.outcome = Some(format!("refused: {why}"));
                    let (data_dir, reason) = (self.plan.data_dir.clone(), why.clone());
                    let (candidate, good) = (moving.candidate.clone(), moving.good.clone());
                    self.recorder.run(move || refuse(&data_dir, &candidate, &good, &reason));
                    self.record(&format!("refused a new {what} and returned to the last good one"), why);
                }
                Step::Returned => {
                    info!("every worker is back on what was good");
                    // One of the refused build or configuration must not go on supervising.
                    let other_build = moving.candidate.print != moving.good.print;
                    let refused = (other_build && own_print() == moving.candidate.print)
                        || moving.upgrades.configuration.in_force != moving.good.configuration;
                    if refused {
                        self.successor = Some(moving.good.program.clone());
                    }
                    let copy = moving.good.configuration.clone();
                    self.put_in_force(copy);
                }
            }
        }
    }

    /// Remembers what the next supervisor is to be configured by.
    fn put_in_force(&self, copy: PathBuf) {
        let data_dir = self.plan.data_dir.clone();
        self.recorder.run(move || Configurations::open(&data_dir).put_in_force(&copy).map_err(io::Error::other));
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
            lost: Some(LOST.to_owned()),
        });
    }

    /// Whether a process that should be of this build is not, although that proved itself some time ago.
    pub(super) fn outlives_build(&self, pid: u32) -> bool {
        let settled = self.moving.as_ref().is_some_and(|moving| {
            *moving.rollout.stage() == Stage::Settled && !moving.checking && moving.began.elapsed() > TO_FOLLOW
        });
        // Who cannot look does not know.
        settled && Print::of(Path::new(&format!("/proc/{pid}/exe"))).is_ok_and(|print| Some(print) != own_print())
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

/// Looks at the installed program and the operator's configuration: that it runs, that it accepts the configuration, and
/// that there is a good build to return to.
async fn examine(upgrades: &Upgrades, data_dir: PathBuf) -> Result<Version, String> {
    let program = &upgrades.installed;
    let (place, file) = (data_dir.clone(), upgrades.configuration.file.clone());
    let copied = tokio::task::spawn_blocking(move || take_copy(&place, &file));
    let configuration =
        copied.await.unwrap_or_else(|error| Err(format!("the configuration could not be read: {error}")))?;
    let check = Command::new(program)
        .args(&upgrades.check)
        .env(CONFIGURATION, &configuration)
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
        Ok(Version { program, print: Some(print), configuration })
    });
    kept.await.unwrap_or_else(|error| Err(format!("the installed program could not be looked at: {error}")))
}

/// Makes a copy of the operator's configuration, which cannot change any more while it is looked at and tried.
fn take_copy(data_dir: &Path, file: &Path) -> Result<PathBuf, String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{} cannot be read: {error}", file.display())),
    };
    Configurations::open(data_dir).copy(&text).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
        format!("the configuration cannot be kept: it {error}{cause}")
    })
}
