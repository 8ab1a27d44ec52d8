//! Whether a node is there, as far as one API server can tell.

use std::net::SocketAddr;

use nodepanel_types::{NodeId, Timestamp};

/// ```text
///   NeverSeen ──link──► Connected ──no sign of life for the grace──► Silent
///                           ▲───────────────link──────────────────────┘
/// ```
/// A link that breaks and is back within the grace (1.5 s since the last sign of life) changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It answers.
    Connected {
        /// Since when without an interruption that counts.
        since: Timestamp,
        /// Its agent's epoch.
        epoch: u64,
        /// Where it dials from.
        address: SocketAddr,
        /// Its agent's version.
        version: String,
    },
    /// It was linked and is not now. Its game servers may well be running.
    Silent {
        /// When it was last heard.
        since: Timestamp,
        /// What is known about the end of the link, as a sentence.
        reason: String,
    },
    /// It has not linked to this process yet.
    NeverSeen {
        /// When this process began to listen.
        watching_since: Timestamp,
    },
}

impl Presence {
    /// Whether it answers.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// A node's presence has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// Which node.
    pub node: NodeId,
    /// What it is now.
    pub presence: Presence,
}
