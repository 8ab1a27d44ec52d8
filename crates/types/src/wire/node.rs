//! What an agent reports: its machine, its servers and what it did by itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    JobId, Millis, NodeId, ServerId, Timestamp,
    state::Phase,
    stats::{NodeUsage, Sample},
};

/// One element of the event stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum NodeFrame {
    /// First: who speaks.
    Hello(NodeFacts),
    /// Second: every server that the node holds. Later ones replace it whole.
    Snapshot {
        /// All of them.
        servers: Vec<ObservedServer>,
    },
    /// A server changed.
    Server(ObservedServer),
    /// A server is gone from the node, after `Remove`.
    Removed {
        /// Which.
        server: ServerId,
    },
    /// Once a second: a sample of every server that runs, and of the machine.
    Stats {
        /// The machine.
        node: NodeUsage,
        /// The servers.
        servers: Vec<ServerSample>,
    },
    /// Something that the node did. Agents of earlier versions said it here; it is read from `path::JOURNAL`, which
    /// forgets nothing while nobody listens.
    Activity(ActivityEntry),
}

/// One element of the stream of a node's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum JournalFrame {
    /// First: where the stream begins. Entries come in the order of their numbers, without a hole.
    Begin {
        /// The number of the first entry that follows, now or later. When it is larger than that of the entry after the
        /// reader's last, those in between are gone: the node keeps a limited number. When it is smaller, the node's
        /// records are not those that the reader knows: they were lost or put back from a copy.
        from: u64,
    },
    /// Something that the node did by itself or was told to do.
    Entry(ActivityEntry),
}

/// A machine and its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeFacts {
    /// Which node.
    pub node: NodeId,
    /// NodePanel's version on it.
    pub version: String,
    /// The machine's own name.
    pub hostname: String,
    /// For example `Debian GNU/Linux 12 (bookworm), Linux 6.1.0`.
    pub system: String,
    /// When the machine was started.
    pub booted_at: Timestamp,
    /// When the agent was started.
    pub agent_started_at: Timestamp,
    /// What is weaker on this machine than it could be, each a sentence ("The agent does not run as root: …").
    pub warnings: Vec<String>,
}

/// One server as its agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedServer {
    /// Which server.
    pub server: ServerId,
    /// The generation of the desired state that the node holds.
    pub generation: u64,
    /// The serial of the last power action that it carried out or is carrying out.
    pub power_serial: u64,
    /// What it does.
    pub phase: Phase,
    /// Whether the agent, just started, is still finding out what the server does. `phase` is then what its records say,
    /// and whoever knew better before the agent was started does so still.
    #[serde(default)]
    pub looking: bool,
    /// Since when.
    pub since: Timestamp,
    /// The last installation.
    pub install: InstallState,
    /// Restarts that the node made by itself after crashes, since the server was created.
    pub automatic_restarts: u64,
    /// What the owner should know although the server works, for example "did not say that it is ready within 60 s".
    pub notice: Option<String>,
}

/// Where the installation of a server stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum InstallState {
    /// Not begun, or interrupted and about to be taken up again.
    Pending,
    /// Running.
    Running {
        /// The job.
        job: JobId,
        /// When this attempt began.
        started_at: Timestamp,
    },
    /// Done.
    Succeeded {
        /// The serial that was installed.
        serial: u64,
        /// When.
        at: Timestamp,
        /// How long it took, in milliseconds.
        took_ms: Millis,
    },
    /// Failed.
    Failed {
        /// The serial that failed.
        serial: u64,
        /// When.
        at: Timestamp,
        /// What went wrong and what to do, in words.
        message: String,
    },
}

/// A sample of one server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ServerSample {
    /// Which server.
    pub server: ServerId,
    /// Its figures.
    #[serde(flatten)]
    pub sample: Sample,
}

/// Something that happened on a node, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivityEntry {
    /// Counts the entries of a node, from 1.
    pub n: u64,
    /// When.
    pub at: Timestamp,
    /// Which server it concerns, if one.
    pub server: Option<ServerId>,
    /// What kind of thing.
    pub kind: ActivityKind,
    /// What happened and why, as a sentence for the owner.
    pub text: String,
    /// How long it took, where that means something, in milliseconds.
    pub took_ms: Option<Millis>,
    /// Whether the node did it by itself.
    pub automatic: bool,
}

/// Kinds of things that happen on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// An installation began, succeeded or failed.
    Install,
    /// A server was started, stopped, restarted or killed because somebody asked.
    Power,
    /// A server ended unasked-for.
    Crash,
    /// A server was restarted by the node's own decision.
    Restart,
    /// The agent took up servers that ran already.
    Recovery,
    /// A server was removed.
    Remove,
}

impl ActivityKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Install, Self::Power, Self::Crash, Self::Restart, Self::Recovery, Self::Remove];

    /// Its name in messages and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Power => "power",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Recovery => "recovery",
            Self::Remove => "remove",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A line for a server's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRequest {
    /// The form of this message.
    pub v: u32,
    /// The line, without a line end.
    pub line: String,
    /// A repetition with the same key is answered without typing it again.
    pub key: String,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResponse {
    /// The number of the console line under which the command appears; `null` when it was a repetition whose number
    /// is no longer known.
    pub line: Option<u64>,
}

/// Which of these could not be bound now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCheckRequest {
    /// The form of this message.
    pub v: u32,
    /// Addresses and ports.
    pub endpoints: Vec<super::Endpoint>,
}

/// Those that are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortCheckResponse {
    /// Empty when all are free.
    pub taken: Vec<PortUse>,
}

/// A port that cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortUse {
    /// Which.
    pub endpoint: super::Endpoint,
    /// Who has it or why it cannot be bound, in words.
    pub reason: String,
}
