//! A machine that runs game servers.

use nodepanel_types::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};

/// A node as it was set up; whether it answers is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The id.
    pub id: NodeId,
    /// Its name. Also claimed in [`super::NameSpace::Node`].
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When a machine joined as this node for the last time.
    pub joined_at: Option<Timestamp>,
}

super::record!(NodeRecord, "nodes", NodeId);
