//! The history of a drill: every operation that was invoked, and what became of it.
//!
//! It is written down while the drill runs and judged afterwards by `check`. An operation whose answer never came is
//! `Unknown`: it may have happened or not, and both are right, but it may not have happened twice.

use std::{collections::BTreeMap, time::Duration};

use nodepanel_types::{ServerId, problem::ProblemCode};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Something was read.
    Read,
    /// A server was given this name.
    Rename {
        /// Which.
        server: ServerId,
        /// The name, which no other operation gives.
        name: String,
    },
    /// A key was made.
    CreateKey {
        /// Its name, which no other operation gives.
        name: String,
    },
    /// A key was revoked.
    RevokeKey {
        /// Its name.
        name: String,
    },
    /// A line was typed into a console.
    Type {
        /// Whose.
        server: ServerId,
        /// The line, which no other operation types.
        line: String,
    },
}

impl Action {
    /// Whether it changes something.
    pub const fn writes(&self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged.
    Ok,
    /// It was refused for good: it did not happen.
    Failed {
        /// The refusal, in words.
        why: String,
    },
    /// The one who asked gave up: it may have happened.
    Unknown {
        /// The last that was seen of it.
        why: String,
    },
}

/// How the tries of one operation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    /// Requests that were sent or could not be sent.
    pub made: u32,
    /// Connections that were refused.
    pub refused: u32,
    /// Connections that broke before the answer was complete.
    pub broken: u32,
    /// Tries whose answer did not come in time.
    pub late: u32,
    /// Answers that asked to come again later.
    pub deferred: u32,
    /// Why the last of them did; `None` where it was no answer of the API's.
    pub deferred_for: Option<ProblemCode>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What was asked for.
    pub action: Action,
    /// When it was invoked, since the drill began.
    pub begun: Duration,
    /// When its outcome was known, since the drill began.
    pub ended: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// How its tries went.
    pub tries: Tries,
}

/// All operations, in the order in which they ended.
#[derive(Debug, Clone, Default)]
pub struct History {
    operations: Vec<Operation>,
}

impl History {
    /// Writes one down.
    pub fn record(&mut self, operation: Operation) {
        self.operations.push(operation);
    }

    /// Every operation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many of each there were.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for operation in &self.operations {
            counts.operations += 1;
            counts.writes += u64::from(operation.action.writes());
            counts.failed += u64::from(matches!(operation.outcome, Outcome::Failed { .. }));
            counts.unknown += u64::from(matches!(operation.outcome, Outcome::Unknown { .. }));
            counts.refused += u64::from(operation.tries.refused);
            counts.retried += u64::from(operation.tries.made > 1);
            if operation.tries.deferred > 0 {
                let reason = operation.tries.deferred_for.map_or("not the API", ProblemCode::as_str);
                *counts.deferred.entry(reason).or_default() += 1;
            }
            counts.worst = counts.worst.max(operation.ended.saturating_sub(operation.begun));
        }
        counts
    }
}

/// A history in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Operations that were invoked.
    pub operations: u64,
    /// Those of them that write.
    pub writes: u64,
    /// Those that were refused for good.
    pub failed: u64,
    /// Those whose outcome is not known.
    pub unknown: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Operations that took more than one try.
    pub retried: u64,
    /// Operations that were asked to come again at least once, by the code of the last such answer.
    pub deferred: BTreeMap<&'static str, u64>,
    /// The longest that one operation took, with all its tries.
    pub worst: Duration,
}
