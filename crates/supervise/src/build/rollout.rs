//! Moving the workers from one build to another, one at a time: a pure state machine. Instants and what was seen of the
//! workers go in, steps come out; `supervisor` takes them.
//!
//! ```text
//!            begin                    every worker is on it
//!  Settled ────────▶ Moving(forward) ───────────────────────▶ Proving ── ready for `proof` ──▶ Settled
//!     ▲                    │                                     │
//!     │                    └───── a worker fails or is late ─────┤
//!     │  every worker is on the good build                       ▼
//!     └──────────────────────────────────────────────── Moving(back)
//! ```
//!
//! Invariants: a worker is replaced only after the one before it has been ready for `settle` (or is late, on the way
//! back); after a failure every worker ends on the good build; whatever happens it ends.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From its replacement until a worker must be ready.
    pub ready: Duration,
    /// How long it must have been ready before the next one is replaced.
    pub settle: Duration,
    /// How long all of them must be ready for before the build counts as good.
    pub proof: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { ready: Duration::from_secs(10), settle: Duration::from_millis(500), proof: Duration::from_secs(10) }
    }
}

/// Which build a worker is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The new one.
    Candidate,
    /// The last one that was proven.
    Good,
}

/// What the supervisor has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Replace a worker, letting it finish what it has, by one of this build.
    Replace(usize, Target),
    /// Every worker runs the candidate: the supervisor itself is next, and then `prove` begins.
    Succeed,
    /// The candidate is good.
    Proven,
    /// The candidate failed; the way back has begun. The rest of a sentence that begins with it.
    Refused(String),
    /// Every worker is back on the good build.
    Returned,
}

/// Where the move is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing moves.
    Settled,
    /// Workers are being replaced.
    Moving {
        /// By what.
        target: Target,
        /// The one that is being replaced.
        current: usize,
        /// Those after it.
        queue: VecDeque<usize>,
        /// The present one is late after this.
        late: Instant,
        /// Since when it has been ready.
        ready_since: Option<Instant>,
    },
    /// Every worker runs the candidate, which is watched.
    Proving {
        /// It is good after this.
        until: Instant,
        /// Workers that are not ready, and since when.
        unready: Vec<(usize, Instant)>,
    },
}

/// The move of all workers.
#[derive(Debug)]
pub struct Rollout {
    patience: Patience,
    order: Vec<usize>,
    stage: Stage,
    /// There is a build to return to.
    fallback: bool,
}

impl Rollout {
    /// Nothing moves. `order` are the workers in the order of their replacement.
    pub const fn new(patience: Patience, order: Vec<usize>, fallback: bool) -> Self {
        Self { patience, order, stage: Stage::Settled, fallback }
    }

    /// Where it is.
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether workers that fail now are the candidate's fault.
    pub const fn is_on_probation(&self) -> bool {
        matches!(self.stage, Stage::Proving { .. } | Stage::Moving { target: Target::Candidate, .. })
    }

    /// Begins to move every worker to the candidate, with a good build to return to.
    pub fn begin(&mut self, now: Instant) -> Vec<Step> {
        self.fallback = true;
        self.move_to(Target::Candidate, self.order.iter().copied().collect(), now)
    }

    /// Begins to watch a candidate that every worker runs already.
    pub fn prove(&mut self, now: Instant) {
        let unready = self.order.iter().map(|worker| (*worker, now)).collect();
        self.stage = Stage::Proving { until: now + self.patience.proof, unready };
    }

    /// Takes in whether a worker is ready now.
    pub fn seen(&mut self, worker: usize, ready: bool, now: Instant) {
        match &mut self.stage {
            Stage::Moving { current, ready_since, .. } if *current == worker => {
                *ready_since = if ready { ready_since.or(Some(now)) } else { None };
            }
            Stage::Proving { unready, .. } => {
                let known = unready.iter().any(|(other, _)| *other == worker);
                if ready {
                    unready.retain(|(other, _)| *other != worker);
                } else if !known {
                    unready.push((worker, now));
                }
            }
            Stage::Moving { .. } | Stage::Settled => {}
        }
    }

    /// Takes in that a worker of the candidate failed by its own fault.
    pub fn failed(&mut self, worker: usize, why: &str, now: Instant) -> Vec<Step> {
        if self.is_on_probation() && self.fallback { self.refuse(worker, why.to_owned(), now) } else { Vec::new() }
    }

    /// When `expire` has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Settled => None,
            Stage::Moving { ready_since: Some(since), .. } => Some(*since + self.patience.settle),
            Stage::Moving { late, ready_since: None, .. } => Some(*late),
            Stage::Proving { until, unready } => {
                let late = unready.iter().map(|(_, since)| *since + self.patience.ready);
                late.min().or(Some(*until))
            }
        }
    }

    /// Acts on the deadline, if it has passed. `name` tells a worker's name.
    pub fn expire(&mut self, now: Instant, name: impl Fn(usize) -> String) -> Vec<Step> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        match &mut self.stage {
            Stage::Settled => Vec::new(),
            Stage::Moving { target: Target::Candidate, current, ready_since: None, .. } => {
                let worker = *current;
                self.refuse(worker, format!("{} was not ready in time with it", name(worker)), now)
            }
            Stage::Moving { target, current, queue, late, ready_since } => {
                let target = *target;
                if let Some(next) = queue.pop_front() {
                    (*current, *late, *ready_since) = (next, now + self.patience.ready, None);
                    return vec![Step::Replace(next, target)];
                }
                match target {
                    Target::Candidate => {
                        self.prove(now);
                        vec![Step::Succeed]
                    }
                    Target::Good => {
                        self.stage = Stage::Settled;
                        vec![Step::Returned]
                    }
                }
            }
            Stage::Proving { unready, until } => match unready.first() {
                None => {
                    self.stage = Stage::Settled;
                    vec![Step::Proven]
                }
                Some((worker, _)) if self.fallback => {
                    let worker = *worker;
                    self.refuse(worker, format!("{} was not ready in time with it", name(worker)), now)
                }
                Some(_) => {
                    // Nothing to return to: the proof begins anew.
                    *until = now + self.patience.proof;
                    for (_, since) in unready {
                        *since = now;
                    }
                    Vec::new()
                }
            },
        }
    }

    /// Whoever failed goes back first: it is the one that is missed.
    fn refuse(&mut self, worker: usize, why: String, now: Instant) -> Vec<Step> {
        let mut steps = vec![Step::Refused(why)];
        let mut queue: VecDeque<usize> = self.order.iter().copied().filter(|other| *other != worker).collect();
        queue.push_front(worker);
        steps.extend(self.move_to(Target::Good, queue, now));
        steps
    }

    fn move_to(&mut self, target: Target, mut queue: VecDeque<usize>, now: Instant) -> Vec<Step> {
        let Some(current) = queue.pop_front() else { return Vec::new() };
        self.stage = Stage::Moving { target, current, queue, late: now + self.patience.ready, ready_since: None };
        vec![Step::Replace(current, target)]
    }
}

#[cfg(test)]
mod tests;
