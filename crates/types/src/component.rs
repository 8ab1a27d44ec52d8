//! Our own processes: what the supervisor says of them.

mod action;
mod renewal;
mod supervision;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    action::{AutomaticAction, lost},
    renewal::{Renewal, RenewalResult},
    supervision::{AtBoot, Observer, Occasion, Proof, Restarter, Supervision, doubted},
};
use crate::{Millis, Timestamp};

/// What a process of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Stands in for init: starts the supervisor again, and holds the listening sockets meanwhile.
    Keeper,
    /// Holds the listening sockets; starts, watches and replaces the others.
    Supervisor,
    /// Answers HTTP, serves the panel, links to agents, reconciles.
    Api,
    /// The public status page and the last-resort answer.
    Status,
    /// Runs game servers on its machine.
    Agent,
    /// Keeps one game server.
    Shim,
}

impl Role {
    /// The role's name on the command line and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keeper => "keeper",
            Self::Supervisor => "supervisor",
            Self::Api => "api",
            Self::Status => "status",
            Self::Agent => "agent",
            Self::Shim => "shim",
        }
    }
}

/// Where a process of ours is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentState {
    /// Spawned, has not said that it is ready.
    Starting,
    /// Ready and alive.
    Ready,
    /// Alive, and says that it cannot do its work now.
    Degraded,
    /// Asked to finish what it has and end.
    Draining,
    /// Ended; waits for its restart.
    BackingOff,
    /// Ended, and not wanted to run.
    Stopped,
}

/// One process of ours, as `nodepanel status --json` and the components page show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Component {
    /// Unique on its host, for example `api-1` or `shim-9f2c01aa`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its process id; `null` when it does not run.
    pub pid: Option<u32>,
    /// Where it is in its life.
    pub state: ComponentState,
    /// When this process was started.
    pub started_at: Option<Timestamp>,
    /// Restarts after an unasked-for end since the installation was set up.
    pub restarts: u64,
    /// From the last unasked-for end to ready again, in milliseconds; `null` when it was never seen to recover.
    pub last_recovery_ms: Option<Millis>,
    /// How the process before this one ended, in words; `null` when there was none.
    pub last_exit: Option<String>,
    /// What it has to say about its state, for example why it is degraded.
    pub detail: Option<String>,
    /// Who starts it again, and when that was last seen to work.
    #[serde(default)]
    pub supervision: Supervision,
}
