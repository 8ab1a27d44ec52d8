//! The judges: pure functions from what was done and what is there to the faults of the installation.
//!
//! A drill with a broken judge is worse than no drill. Each is tried against histories that are wrong in one place, and
//! all of them against a proxy that loses, repeats and garbles on purpose (`tests/faulty.rs`).

mod console;
mod events;
mod keys;
mod lines;
mod names;
mod untouched;
mod users;

pub use console::Numbers;
pub use events::events;
pub use keys::keys;
pub use lines::lines;
pub use names::names;
pub use untouched::untouched;
pub use users::users;

/// A promise that was broken, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "what")]
pub enum Fault {
    /// An acknowledged write is not there.
    Lost(String),
    /// A write happened more than once.
    Twice(String),
    /// Something is there that nobody asked for, or that was refused.
    Invented(String),
    /// A console number is missing or came twice.
    Gap(String),
    /// A user saw an error.
    Seen(String),
}

impl Fault {
    /// The sentence.
    pub fn text(&self) -> &str {
        match self {
            Self::Lost(text) | Self::Twice(text) | Self::Invented(text) | Self::Gap(text) | Self::Seen(text) => text,
        }
    }
}

#[cfg(test)]
mod tests_support {
    use std::time::Duration;

    use nodepanel_types::ServerId;

    use crate::history::{Action, History, Operation, Outcome, Tries};

    pub(super) fn history<const N: usize>(operations: [(Action, Outcome); N]) -> History {
        let mut history = History::default();
        for (at, (action, outcome)) in (0..).zip(operations) {
            let (begun, ended) = (Duration::from_millis(at), Duration::from_millis(at + 1));
            history.record(Operation { action, begun, ended, outcome, tries: Tries { made: 1, ..Tries::default() } });
        }
        history
    }

    pub(super) fn failed() -> Outcome {
        Outcome::Failed { why: "no".to_owned() }
    }

    pub(super) fn unknown() -> Outcome {
        Outcome::Unknown { why: "no answer".to_owned() }
    }

    pub(super) fn server(number: u128) -> ServerId {
        ServerId::from_uuid(uuid::Uuid::from_u128(number))
    }
}
