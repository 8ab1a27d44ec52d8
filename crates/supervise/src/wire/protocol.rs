//! The messages between the supervisor, its workers and the command line.
//!
//! One JSON object per line. Messages that a side does not know are ignored, unknown fields too, so that an old and
//! a new binary understand each other while one replaces the other; `PROTOCOL` grows only when that is not enough.

use std::path::PathBuf;

use nodepanel_types::{
    Millis, Timestamp, WorkerId,
    component::{AutomaticAction, Component, ComponentState, Observer, Occasion, Proof, Renewal},
};
use serde::{Deserialize, Serialize};

/// The version of these messages.
pub const PROTOCOL: u32 = 1;

/// What a worker, a keeper or the command line says to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToSupervisor {
    /// A worker's first message on every connection.
    Hello {
        /// The version of the messages that it speaks.
        protocol: u32,
        /// Its name in the plan.
        name: String,
        /// Names this run of it.
        worker_id: WorkerId,
        /// The version of its binary.
        version: String,
        /// Its process id; must be the one that the kernel knows the connection by.
        pid: u32,
        /// How long it had no supervisor before this connection; `None` on the first one.
        alone_ms: Option<Millis>,
    },
    /// It does its work.
    Ready,
    /// It runs but cannot do its work.
    NotReady {
        /// Why, as a sentence.
        reason: String,
    },
    /// Its event loop turns.
    Alive,
    /// The processes that it keeps itself (an agent's shims); replaces what it said before.
    Children {
        /// Their state.
        components: Vec<Component>,
    },
    /// The agent has stopped the game servers, as it was asked to.
    ServersStopped,
    /// The listening sockets, asked for by `GiveSockets`; as many descriptors come with the message.
    Sockets {
        /// Their names, in the order of the descriptors.
        names: Vec<String>,
    },
    /// Asks for the listening sockets (a keeper that took over).
    TakeSockets,
    /// Says that the process at the other end keeps this supervisor.
    Keeping,
    /// Says that the process at the other end, which keeps this supervisor, goes on as another build.
    KeeperRenewed {
        /// From the last thing that the old build did to the first of the new one.
        took_ms: Millis,
    },
    /// Asks for the state of every component.
    Status,
    /// Asks for the last recoveries.
    Recoveries {
        /// At most this many, the newest.
        limit: usize,
    },
    /// Ends everything that the supervisor keeps, and the supervisor.
    Stop {
        /// The game servers too.
        servers: bool,
    },
    /// Replaces one worker, letting it finish what it has.
    Restart {
        /// Its name.
        name: String,
    },
    /// Says that a component is about to be ended on purpose: its next end within this time is a drill, not a fault.
    Announce {
        /// Its name.
        name: String,
        /// For how long that holds.
        within_ms: Millis,
        /// What for, in a few words: "drill api-killed".
        purpose: String,
    },
    /// Has the proofs of all components renewed now, whatever the window is.
    RenewProofs,
    /// Moves to the build that is installed now, one worker at a time.
    Upgrade,
    /// Asks which build runs, and whether a move is going on.
    Build,
    /// A message of a later version.
    #[serde(other)]
    Unknown,
}

/// What the supervisor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromSupervisor {
    /// Answers `Hello`.
    Welcome {
        /// The version of the messages that it speaks.
        protocol: u32,
        /// Its process id.
        pid: u32,
        /// The version of its binary.
        version: String,
    },
    /// Finish what you have and end.
    Drain {
        /// After this long it is ended.
        deadline_ms: Millis,
    },
    /// Stop the game servers, say `ServersStopped`, and go on.
    StopServers {
        /// After this long it goes on without.
        deadline_ms: Millis,
    },
    /// How the API servers are: told to every worker when it connects and whenever it changes.
    ApiServers {
        /// All of the plan.
        servers: Vec<Condition>,
    },
    /// Send your listening sockets.
    GiveSockets,
    /// Answers `TakeSockets`; as many descriptors come with the message.
    Sockets {
        /// Their names, in the order of the descriptors.
        names: Vec<String>,
    },
    /// Answers `Status`.
    Status {
        /// The supervisor first, then the workers in the order of the plan, each followed by its children.
        components: Vec<Component>,
        /// Who keeps the supervisor, when somebody said so; apart, because an earlier version knows no such role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keeper: Option<Box<Component>>,
        /// How proofs are renewed; left out by an earlier version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renewal: Option<Box<Renewal>>,
    },
    /// Answers `Recoveries`.
    Recoveries {
        /// Oldest first.
        recoveries: Vec<Recovery>,
    },
    /// Answers `Build`.
    Build {
        /// Where the program is installed.
        installed: PathBuf,
        /// Whether a move is going on.
        state: BuildState,
        /// What became of the last one that did not succeed.
        outcome: Option<String>,
    },
    /// The request is being carried out.
    Accepted,
    /// The request is not carried out.
    Refused {
        /// Why, as a sentence.
        reason: String,
    },
    /// A message of a later version.
    #[serde(other)]
    Unknown,
}

/// Where a move to another build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    /// Nothing moves.
    Settled,
    /// Workers are being replaced by the new build.
    Moving,
    /// All run the new build, which is watched.
    Proving,
    /// Workers return to the last good build.
    Returning,
}

/// How a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Its name in the plan.
    pub name: String,
    /// Where it is in its life.
    pub state: ComponentState,
    /// What there is to say about that.
    pub detail: Option<String>,
}

/// A recovery that the supervisor made by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// When it was complete.
    pub at: Timestamp,
    /// The component that recovered, by name.
    pub component: String,
    /// What was done: "started again", "taken over".
    pub what: String,
    /// What had happened, as the rest of a sentence that begins with the component: "was killed by SIGKILL".
    pub why: String,
    /// From the loss to ready again, in milliseconds; `None` when the loss was not seen.
    pub took_ms: Option<Millis>,
    /// How many starts it took.
    pub tries: u32,
    /// What the component came back from; `None` when it did not come back from anything, and in old entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    /// Who saw it; the supervisor when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_by: Option<Observer>,
    /// What was lost by it, as a sentence; `None` in old entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

impl Recovery {
    /// The entry as it is shown, of a host by its name.
    pub fn on(self, host: &str) -> AutomaticAction {
        AutomaticAction {
            host: host.to_owned(),
            at: self.at,
            component: self.component,
            what: self.what,
            why: self.why,
            took_ms: self.took_ms,
            tries: self.tries,
            occasion: self.occasion,
            observed_by: self.observed_by.unwrap_or(Observer::Supervisor),
            lost: self.lost,
        }
    }

    /// What this proves of its component; `None` when that did not come back from anything.
    pub fn proof(&self) -> Option<Proof> {
        Some(Proof {
            at: self.at,
            occasion: self.occasion?,
            why: self.why.clone(),
            took_ms: self.took_ms,
            observed_by: self.observed_by.unwrap_or(Observer::Supervisor),
        })
    }
}

/// The components as they are shown: the keeper after the supervisor, which is always there.
pub fn with_keeper(mut components: Vec<Component>, keeper: Option<Box<Component>>) -> Vec<Component> {
    if let Some(keeper) = keeper {
        components.insert(components.len().min(1), *keeper);
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_a_later_version_is_unknown_and_not_an_error() {
        let line = r#"{"type":"hibernate","for_ms":3}"#;
        assert_eq!(serde_json::from_str::<ToSupervisor>(line).unwrap(), ToSupervisor::Unknown);
        assert_eq!(serde_json::from_str::<FromSupervisor>(line).unwrap(), FromSupervisor::Unknown);
        let line = r#"{"type":"not_ready","reason":"no store","since":3}"#;
        let expected = ToSupervisor::NotReady { reason: "no store".to_owned() };
        assert_eq!(serde_json::from_str::<ToSupervisor>(line).unwrap(), expected);
    }

    #[test]
    fn the_form_of_version_1_stays_readable() {
        let hello = r#"{"type":"hello","protocol":1,"name":"api-1","worker_id":"0190b5c8-7c4e-7000-8000-000000000000","version":"0.1.0","pid":7,"alone_ms":null}"#;
        let message: ToSupervisor = serde_json::from_str(hello).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), hello);
        let recovery = r#"{"at":"2026-11-22T08:00:00.000Z","component":"api-1","what":"started again","why":"was killed by SIGKILL","took_ms":12,"tries":1}"#;
        let parsed: Recovery = serde_json::from_str(recovery).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), recovery);
    }
}
