//! Nodes and their ports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{NodeId, ServerId, Timestamp, stats::NodeUsage, wire::NodeFacts};

/// A machine that runs game servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// The id.
    pub id: NodeId,
    /// The name that administrators gave it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// Whether it answers.
    pub presence: NodePresence,
    /// What it said of itself last.
    pub facts: Option<NodeFacts>,
    /// What it has and uses, as of `presence`.
    pub usage: Option<NodeUsage>,
    /// Servers on it.
    pub servers: u64,
    /// Ports on it that can be given to servers, and how many are given.
    pub ports: u64,
    /// Ports that are given to servers.
    pub ports_used: u64,
}

/// Whether a node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum NodePresence {
    /// It never joined.
    Pending {
        /// What to do, in words.
        reason: String,
    },
    /// It answers.
    Online {
        /// Since when.
        since: Timestamp,
    },
    /// It does not answer. Its game servers may well go on.
    Unreachable {
        /// Since when.
        since: Timestamp,
        /// Why, as far as it is known, in words.
        reason: String,
    },
}

/// A new node.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateNode {
    /// 1 to 64 characters: letters, digits, `.`, `-`, `_`.
    pub name: String,
}

/// What to change; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateNode {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
}

/// A one-time permission for a machine to become this node.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct JoinToken {
    /// For `nodepanel agent join <token>` on the machine.
    pub token: String,
    /// When it is no longer accepted.
    pub expires_at: Timestamp,
}

/// An address and port that can be given to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AllocationView {
    /// The address.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The server that has it.
    pub server: Option<ServerId>,
}

/// New ports.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAllocations {
    /// An IPv4 or IPv6 address of the node.
    pub address: String,
    /// Ports and ranges: `25565`, `25565-25600`, `25565-25600,27015`; 1,024 to 65,535, at most 10,000 at once.
    pub ports: String,
}
