//! What NodePanel did to its own processes by itself, and what that cost: the entries of the platform's history.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Observer, Occasion, Role};
use crate::{Millis, Timestamp};

/// Something that NodePanel did to its own processes by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AutomaticAction {
    /// The control host that did it, by its own name.
    pub host: String,
    /// When it was complete.
    pub at: Timestamp,
    /// The process that it was done to, for example `api-1`.
    pub component: String,
    /// What was done: "started again".
    pub what: String,
    /// What had happened, as the rest of a sentence that begins with the process: "was killed by SIGKILL".
    pub why: String,
    /// From the loss to ready again, in milliseconds; `null` when nobody saw the loss.
    pub took_ms: Option<Millis>,
    /// How many starts it took.
    pub tries: u32,
    /// What the process came back from; `null` when it did not come back from anything (a build that was refused), and
    /// in entries of earlier versions.
    pub occasion: Option<Occasion>,
    /// Who saw it.
    pub observed_by: Observer,
    /// What was lost by it, as a sentence; `null` in entries of earlier versions.
    pub lost: Option<String>,
}

/// What is lost when a process of this role ends on this occasion and another takes its place, as a sentence.
pub const fn lost(role: Role, occasion: Occasion) -> &'static str {
    match (role, occasion) {
        (_, Occasion::Boot) => {
            "What ran on the machine ended with it; what was acknowledged is on disk. Game servers that should run are \
             started again."
        }
        (Role::Shim, _) => "The game that it kept, and what that had not saved.",
        (Role::Api, Occasion::Fault | Occasion::Drill) => {
            "The requests that it had accepted and not answered; the panel sends reads and keyed writes again. Nothing \
             that was acknowledged."
        }
        (Role::Api, Occasion::Planned) => "Nothing: it answered what it had accepted.",
        (Role::Status, _) => "Nothing: it answers only while no API server does.",
        (Role::Agent, _) => "Nothing: the game servers went on.",
        (Role::Supervisor, _) => "Nothing: the processes that it keeps went on.",
        (Role::Keeper, _) => "Nothing: everything went on without it.",
    }
}
