//! The life of one worker as a state machine: inputs and instants go in, actions come out. No process, no socket
//! and no clock in here; `supervisor` carries the actions out.
//!
//! ```text
//!            Start                 Ready
//!  Waiting ────────▶ Starting ──────────────▶ Serving ◀──▶ Degraded
//!     ▲                │ ▲  └───── NotReady ──────┼───────────▲
//!     │          Ended │ │ the delay is over      │ Ended
//!     │                ▼ │                        │
//!     │            BackingOff ◀───────────────────┘
//!     │
//!     │   any running state ── Stop, Restart, late, hung ──▶ Ending ──▶ Stopped, BackingOff
//!     └──────────────────────────── Restart ───────────────────────────────┘
//! ```
//!
//! Invariants: at most one process exists per worker; an end that nobody asked for is always followed by a start,
//! after at most `Backoff::cap`; a process that is asked to end is ended, after at most `drain + terminate`; a process
//! that shows that it lives and says why it cannot work is left to it, however long that takes: another one would meet
//! the same disk, and know no better.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use nodepanel_types::component::{ComponentState, Occasion};

use crate::{
    plan::Timing,
    policy::{self, Life, in_words},
    process::Ending,
};

/// Past lives that are remembered for the policy: more than enough to reach the cap.
const REMEMBERED_LIVES: usize = 32;

/// What happened to the worker, or what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Its turn in the start order has come.
    Start,
    /// A process of it that runs already was taken over.
    Adopted {
        /// It had said that it was ready.
        ready: bool,
        /// How long it has run.
        age: Duration,
    },
    /// The process that was recorded is gone; it ended while nobody watched.
    Lost {
        /// How, as far as it is known.
        why: String,
        /// How long ago, when that is known.
        ago: Option<Duration>,
        /// The machine ended with it.
        with_host: bool,
    },
    /// The process could not be started, and why.
    StartFailed(String),
    /// It connected to the control socket.
    Connected,
    /// It says that it does its work.
    Ready,
    /// It says that it cannot do its work, and why.
    NotReady(String),
    /// Its event loop turns.
    Alive,
    /// The end that comes next was announced, and what for.
    Announced(String),
    /// The process ended.
    Ended(Ending),
    /// It holds too much; the rest of a sentence that says of what. It may finish what it has.
    Outgrown(String),
    /// End it and keep it so.
    Stop,
    /// End it and start it again.
    Restart,
}

/// What the supervisor has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a process; answer with `StartFailed` when that fails.
    Start,
    /// Ask the worker to finish what it has and end (SIGTERM where it is not connected).
    Drain,
    /// Send SIGTERM to its process group.
    Terminate,
    /// Keep what can be known of a process that does not answer, for the operator.
    Examine,
    /// Send SIGKILL to its process group.
    Kill,
    /// The worker ended without being asked to; the sentence says how and what follows.
    Lost(String),
    /// It is ready again after it was lost, or replaced as somebody had asked.
    Recovered(Comeback),
}

/// A recovery, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comeback {
    /// How it had ended.
    pub why: String,
    /// From the loss to ready; `None` when nobody saw the loss.
    pub took: Option<Duration>,
    /// Starts that it took.
    pub tries: u32,
    /// What it came back from.
    pub occasion: Occasion,
}

/// Where the worker is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Never started; its turn has not come.
    Waiting,
    /// A process runs and has not said that it is ready.
    Starting {
        /// It is late after this.
        deadline: Instant,
    },
    /// Does its work.
    Serving,
    /// Runs, and says that it cannot do its work.
    Degraded {
        /// Why.
        reason: String,
    },
    /// A process runs and was told to end.
    Ending {
        /// How far it has come.
        step: Step,
        /// When the next step is taken.
        until: Instant,
        /// What follows its end.
        then: Then,
    },
    /// No process; the next one is started later.
    BackingOff {
        /// When.
        until: Instant,
        /// Why so late.
        reason: String,
    },
    /// No process, and none is wanted.
    Stopped,
}

/// The steps of ending a process, each harder than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was asked to finish what it has.
    Drain,
    /// It was sent SIGTERM.
    Terminate,
    /// It was sent SIGKILL.
    Kill,
}

/// What follows when a process that was told to end has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Stop,
    /// A new one at once: the replacement was asked for.
    Restart,
    /// What the policy says: it was ended because of this.
    Recover {
        /// The rest of a sentence that begins with the worker.
        because: String,
    },
}

/// What outlives the processes of a worker, and the supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Restarts after an unasked-for end.
    pub restarts: u64,
    /// From the last unasked-for end to ready again.
    pub last_recovery: Option<Duration>,
    /// How the process before this one ended.
    pub last_exit: Option<String>,
}

/// One worker's life.
#[derive(Debug)]
pub struct Lifecycle {
    timing: Timing,
    phase: Phase,
    past: Past,
    lives: VecDeque<Life>,
    /// The present process.
    born: Option<Instant>,
    ready_at: Option<Instant>,
    last_alive: Option<Instant>,
    /// The loss that is not yet made good.
    loss: Option<Loss>,
    /// When the process before this one made place as it was asked to, until this one is ready.
    replaced: Option<Instant>,
    /// What the end that comes now was announced for.
    announced: Option<String>,
}

#[derive(Debug)]
struct Loss {
    at: Option<Instant>,
    why: String,
    tries: u32,
    occasion: Occasion,
}

impl Loss {
    const fn fault(at: Instant) -> Self {
        Self { at: Some(at), why: String::new(), tries: 0, occasion: Occasion::Fault }
    }
}

/// The comeback of a worker that made place `since` then because somebody had asked for it.
fn planned(now: Instant, since: Instant) -> Action {
    Action::Recovered(Comeback {
        why: "was asked to make place for a fresh process".to_owned(),
        took: Some(now.saturating_duration_since(since)),
        tries: 1,
        occasion: Occasion::Planned,
    })
}

impl Lifecycle {
    /// A worker that was never started by this supervisor, with what is known of its past.
    pub fn new(timing: Timing, past: Past) -> Self {
        Self {
            timing,
            phase: Phase::Waiting,
            past,
            lives: VecDeque::new(),
            born: None,
            ready_at: None,
            last_alive: None,
            loss: None,
            replaced: None,
            announced: None,
        }
    }

    /// Where it is.
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// What it leaves to the next supervisor.
    pub const fn past(&self) -> &Past {
        &self.past
    }

    /// Whether a process of it exists.
    pub const fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. } | Phase::Ending { .. })
    }

    /// How long the present process has run.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.born.map(|born| now.saturating_duration_since(born))
    }

    /// Whether the present process has ever said that it is ready.
    pub const fn was_ready(&self) -> bool {
        self.ready_at.is_some()
    }

    /// Whether those that come after it may start.
    pub const fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Serving)
    }

    /// The state as people see it.
    pub const fn state(&self) -> ComponentState {
        match self.phase {
            Phase::Waiting | Phase::Starting { .. } => ComponentState::Starting,
            Phase::Serving => ComponentState::Ready,
            Phase::Degraded { .. } => ComponentState::Degraded,
            Phase::Ending { .. } => ComponentState::Draining,
            Phase::BackingOff { .. } => ComponentState::BackingOff,
            Phase::Stopped => ComponentState::Stopped,
        }
    }

    /// What there is to say about the state.
    pub fn detail(&self) -> Option<String> {
        match &self.phase {
            Phase::Waiting => Some("waits for the components that it comes after".to_owned()),
            Phase::Degraded { reason } | Phase::BackingOff { reason, .. } => Some(reason.clone()),
            Phase::Ending { then: Then::Recover { because }, .. } => Some(because.clone()),
            Phase::Starting { .. } | Phase::Serving | Phase::Ending { .. } | Phase::Stopped => None,
        }
    }

    /// Takes in what happened at `now`.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Action> {
        match input {
            Input::Start => self.start_if_waiting(now),
            Input::Adopted { ready, age } => self.adopt(now, ready, age),
            Input::Lost { why, ago, with_host } => self.lost_unseen(now, why, ago, with_host),
            Input::StartFailed(why) => self.lost(now, now, why),
            Input::Connected => {
                self.last_alive = self.is_running().then_some(now);
                Vec::new()
            }
            Input::Alive => {
                self.last_alive = self.last_alive.map(|_| now);
                Vec::new()
            }
            Input::Ready => self.ready(now),
            Input::NotReady(reason) => {
                // From its first word on, a reason takes the place of the deadline: only silence is judged from there.
                if matches!(self.phase, Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. }) {
                    self.phase = Phase::Degraded { reason };
                }
                Vec::new()
            }
            Input::Announced(purpose) => {
                self.announced = Some(purpose);
                Vec::new()
            }
            Input::Ended(ending) => {
                let actions = self.ended(now, ending);
                self.announced = None;
                actions
            }
            Input::Outgrown(because) => match self.phase {
                Phase::Serving | Phase::Degraded { .. } => self.drain(now, Then::Recover { because }),
                _ => Vec::new(),
            },
            Input::Stop => self.stop(now),
            Input::Restart => self.restart(now),
        }
    }

    /// When `expire` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Starting { deadline } => {
                self.hang_deadline().map_or(Some(*deadline), |hang| Some(hang.min(*deadline)))
            }
            Phase::Serving | Phase::Degraded { .. } => self.hang_deadline(),
            Phase::Ending { until, .. } | Phase::BackingOff { until, .. } => Some(*until),
            Phase::Waiting | Phase::Stopped => None,
        }
    }

    /// Acts on the deadline, if it has passed.
    pub fn expire(&mut self, now: Instant) -> Vec<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match &self.phase {
            Phase::Starting { deadline } if now >= *deadline => {
                let because = format!("was not ready {} after its start", in_words(self.timing.ready));
                self.end_hard(now, because)
            }
            Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. } => {
                let silence = self.last_alive.map_or(Duration::ZERO, |alive| now.saturating_duration_since(alive));
                let silence = silence.max(self.timing.alive.unwrap_or_default());
                self.end_hard(now, format!("hung: its event loop gave no sign of life for {}", in_words(silence)))
            }
            Phase::Ending { step, then, .. } => {
                let (step, until, action) = match step {
                    Step::Drain => (Step::Terminate, self.timing.terminate, Action::Terminate),
                    // A process that survives SIGKILL waits for a device; ask again now and then.
                    Step::Terminate | Step::Kill => (Step::Kill, Duration::from_secs(1), Action::Kill),
                };
                self.phase = Phase::Ending { step, until: now + until, then: then.clone() };
                vec![action]
            }
            Phase::BackingOff { .. } => self.start(now),
            Phase::Waiting | Phase::Stopped => Vec::new(),
        }
    }

    /// Takes back all judgement of silence: the supervisor itself did not run, so it heard nobody.
    pub fn forgive(&mut self, now: Instant) {
        self.last_alive = self.last_alive.map(|_| now);
        if let Phase::Starting { deadline } = &mut self.phase {
            *deadline = (*deadline).max(now + self.timing.ready);
        }
    }

    fn hang_deadline(&self) -> Option<Instant> {
        Some(self.last_alive? + self.timing.alive?)
    }

    fn start_if_waiting(&mut self, now: Instant) -> Vec<Action> {
        if self.phase == Phase::Waiting { self.start(now) } else { Vec::new() }
    }

    fn start(&mut self, now: Instant) -> Vec<Action> {
        self.phase = Phase::Starting { deadline: now + self.timing.ready };
        self.born = Some(now);
        self.ready_at = None;
        self.last_alive = None;
        if let Some(loss) = &mut self.loss {
            loss.tries = loss.tries.saturating_add(1);
        }
        vec![Action::Start]
    }

    fn adopt(&mut self, now: Instant, ready: bool, age: Duration) -> Vec<Action> {
        let born = now.checked_sub(age).unwrap_or(now);
        self.born = Some(born);
        self.ready_at = ready.then_some(born);
        // It finds the new control socket by itself; until then it has as long as a new process.
        self.last_alive = None;
        self.phase = Phase::Starting { deadline: now + self.timing.ready };
        if ready {
            self.phase = Phase::Serving;
            // Counted from now, a worker that never comes back is found by the same deadline as a late one.
            self.last_alive =
                self.timing.alive.map(|alive| (now + self.timing.ready).checked_sub(alive).unwrap_or(now));
        }
        Vec::new()
    }

    fn ready(&mut self, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Starting { .. } | Phase::Degraded { .. } => self.ready_at = self.ready_at.or(Some(now)),
            _ => return Vec::new(),
        }
        self.phase = Phase::Serving;
        let replaced = self.replaced.take();
        let Some(loss) = self.loss.take() else {
            return replaced.map(|since| planned(now, since)).into_iter().collect();
        };
        let took = loss.at.map(|at| now.saturating_duration_since(at));
        self.past.last_recovery = took.or(self.past.last_recovery);
        vec![Action::Recovered(Comeback { why: loss.why, took, tries: loss.tries, occasion: loss.occasion })]
    }

    fn ended(&mut self, now: Instant, ending: Ending) -> Vec<Action> {
        let then = match &self.phase {
            Phase::Ending { then, .. } => then.clone(),
            Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. } => {
                return self.lost(now, now, ending.to_string());
            }
            Phase::Waiting | Phase::BackingOff { .. } | Phase::Stopped => return Vec::new(),
        };
        match then {
            Then::Stop => {
                self.past.last_exit = Some(format!("{ending} when it was stopped"));
                self.forget_process();
                self.phase = Phase::Stopped;
                Vec::new()
            }
            Then::Restart => {
                self.past.last_exit = Some(format!("{ending} when it was restarted"));
                self.lives.clear();
                self.replaced = Some(now);
                self.start(now)
            }
            Then::Recover { because } => {
                let since = self.loss.as_ref().and_then(|loss| loss.at).unwrap_or(now);
                self.lost(now, since, because)
            }
        }
    }

    /// The process is gone and nobody had asked for it.
    fn lost(&mut self, now: Instant, since: Instant, mut why: String) -> Vec<Action> {
        let announced = self.announced.take();
        let on_purpose = announced.is_some();
        if let Some(purpose) = announced {
            why = format!("{why}, on purpose ({purpose})");
        }
        let ran_for = self.born.map_or(Duration::ZERO, |born| now.saturating_duration_since(born));
        let ready_for = self.ready_at.map(|ready| now.saturating_duration_since(ready));
        if self.lives.len() == REMEMBERED_LIVES {
            self.lives.pop_front();
        }
        self.lives.push_back(Life { ran_for, ready_for });
        let decision = policy::decide(&self.timing.backoff, self.lives.make_contiguous());
        let sentence = format!("{why} after {}; {}", in_words(ran_for), decision.reason);
        if !on_purpose {
            self.past.restarts = self.past.restarts.saturating_add(1);
        }
        self.past.last_exit = Some(why.clone());
        self.replaced = None;
        let loss = self.loss.get_or_insert(Loss::fault(since));
        loss.why = why;
        // What fails by itself while it comes back is a fault, whatever came before.
        loss.occasion = match loss.occasion {
            Occasion::Fault if on_purpose && loss.tries == 0 => Occasion::Drill,
            Occasion::Drill if !on_purpose => Occasion::Fault,
            other => other,
        };
        self.forget_process();
        let mut actions = vec![Action::Lost(sentence.clone())];
        if decision.delay.is_zero() {
            actions.extend(self.start(now));
        } else {
            self.phase = Phase::BackingOff { until: now + decision.delay, reason: sentence };
        }
        actions
    }

    fn lost_unseen(&mut self, now: Instant, why: String, ago: Option<Duration>, with_host: bool) -> Vec<Action> {
        self.past.restarts = self.past.restarts.saturating_add(1);
        self.past.last_exit = Some(why.clone());
        let occasion = if with_host { Occasion::Boot } else { Occasion::Fault };
        self.loss = Some(Loss { at: ago.and_then(|ago| now.checked_sub(ago)), why, tries: 0, occasion });
        Vec::new()
    }

    /// A process that misses a deadline cannot be asked politely.
    fn end_hard(&mut self, now: Instant, because: String) -> Vec<Action> {
        let since = self.last_alive.filter(|_| self.ready_at.is_some()).unwrap_or(now);
        self.loss.get_or_insert(Loss { why: because.clone(), ..Loss::fault(since) });
        self.phase =
            Phase::Ending { step: Step::Kill, until: now + Duration::from_secs(1), then: Then::Recover { because } };
        vec![Action::Examine, Action::Kill]
    }

    fn stop(&mut self, now: Instant) -> Vec<Action> {
        self.loss = None;
        self.replaced = None;
        match &mut self.phase {
            Phase::Ending { then, .. } => {
                *then = Then::Stop;
                Vec::new()
            }
            Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. } => self.drain(now, Then::Stop),
            Phase::Waiting | Phase::BackingOff { .. } | Phase::Stopped => {
                self.phase = Phase::Stopped;
                Vec::new()
            }
        }
    }

    fn restart(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.phase {
            Phase::Ending { then, .. } => {
                *then = Then::Restart;
                Vec::new()
            }
            Phase::Starting { .. } | Phase::Serving | Phase::Degraded { .. } => self.drain(now, Then::Restart),
            Phase::Waiting => Vec::new(),
            Phase::BackingOff { .. } | Phase::Stopped => {
                self.lives.clear();
                self.start(now)
            }
        }
    }

    fn drain(&mut self, now: Instant, then: Then) -> Vec<Action> {
        self.phase = Phase::Ending { step: Step::Drain, until: now + self.timing.drain, then };
        vec![Action::Drain]
    }

    fn forget_process(&mut self) {
        self.born = None;
        self.ready_at = None;
        self.last_alive = None;
    }
}

#[cfg(test)]
mod tests;
