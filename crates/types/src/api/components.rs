//! NodePanel's own processes, and the administrator's overview.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    component::{Component, Renewal},
};

/// NodePanel's own processes on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComponentsView {
    /// When the supervisor was asked.
    pub as_of: Timestamp,
    /// The processes.
    pub components: Vec<Component>,
    /// Why the list may be out of date, in words; `null` when it is not.
    pub stale_reason: Option<String>,
    /// How it is seen to it that each is known to come back; `null` when the supervisor has not said so.
    pub renewal: Option<Renewal>,
}

/// What an administrator should see first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// What needs a person, worst first.
    pub warnings: Vec<OverviewWarning>,
    /// Nodes, and how many of them answer.
    pub nodes: u64,
    /// Nodes that answer.
    pub nodes_online: u64,
    /// Servers.
    pub servers: u64,
    /// Servers that run.
    pub servers_running: u64,
    /// Users.
    pub users: u64,
}

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OverviewWarning {
    /// How bad it is.
    pub level: AlertLevel,
    /// What happened, what it means and what to do.
    pub text: String,
}

/// How bad a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertLevel {
    /// Somebody cannot use something now.
    Error,
    /// Something is weaker than it should be.
    Warning,
}
