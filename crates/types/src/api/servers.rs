//! Game servers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    NodeId, ServerId, TemplateId, Timestamp, UserId,
    permission::Permission,
    state::{CrashPolicy, PowerAction, ServerState},
    stats::Sample,
    wire::{Endpoint, InstallState, Limits},
};

/// A game server: what is wanted of it and what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServerView {
    /// The id.
    pub id: ServerId,
    /// The name that its owner gave it.
    pub name: String,
    /// Whose it is.
    pub owner: ServerOwner,
    /// Where it is.
    pub node: ServerNode,
    /// What it was made from.
    pub template: ServerTemplate,
    /// Its addresses and ports; the first is the one that players use.
    pub endpoints: Vec<Endpoint>,
    /// What it may use.
    pub limits: Limits,
    /// The template's variables.
    pub variables: BTreeMap<String, String>,
    /// How crashes are answered.
    pub crash: CrashPolicy,
    /// What it does, in one word.
    pub state: ServerState,
    /// Why, as a sentence.
    pub reason: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When the node said so last; older than some seconds only when the node is silent.
    pub as_of: Option<Timestamp>,
    /// The state that was last known, when `state` is `unreachable`.
    pub last_known_state: Option<ServerState>,
    /// Whether its owner wants it to run.
    pub wants_running: bool,
    /// The last installation.
    pub install: Option<InstallState>,
    /// 0 to 100 while it is being installed.
    pub install_percent: Option<u8>,
    /// Restarts that the node made by itself.
    pub automatic_restarts: u64,
    /// What the owner should know although the server works.
    pub notice: Option<String>,
    /// Its newest figures.
    pub stats: Option<Sample>,
    /// Players, when the game can be asked.
    pub players: Option<Players>,
    /// What may be done now.
    pub actions: Actions,
    /// What the caller may do with it.
    pub permissions: Vec<Permission>,
    /// Counts its changes. Pass it back as `generation` of a change to make sure that nobody else changed it.
    pub generation: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// True from the moment its deletion was asked for until its node has carried it out.
    pub deleting: bool,
}

/// A server's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerOwner {
    /// The id.
    pub id: UserId,
    /// The address.
    pub email: String,
}

/// A server's node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerNode {
    /// The id.
    pub id: NodeId,
    /// The name.
    pub name: String,
    /// Whether it answers.
    pub online: bool,
}

/// A server's template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerTemplate {
    /// The id.
    pub id: TemplateId,
    /// The name.
    pub name: String,
    /// The version that the server uses.
    pub version: u32,
    /// The newest version, when it is another.
    pub newer_version: Option<u32>,
}

/// Players on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Players {
    /// On it now.
    pub online: u32,
    /// Places.
    pub max: Option<u32>,
}

/// What may be done with a server now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actions {
    /// Start.
    pub start: ActionState,
    /// Stop.
    pub stop: ActionState,
    /// Restart.
    pub restart: ActionState,
    /// Kill.
    pub kill: ActionState,
}

/// Whether an action is possible, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionState {
    /// Whether it is possible now.
    pub allowed: bool,
    /// Why not, as a sentence; `null` when it is.
    pub reason: Option<String>,
}

/// A new server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateServer {
    /// 1 to 64 characters, no control characters.
    pub name: String,
    /// The template.
    pub template: TemplateId,
    /// The node; when left out, the one with the most free memory that has ports.
    #[serde(default)]
    pub node: Option<NodeId>,
    /// Whose it is; the caller's when left out. Only administrators may name another.
    #[serde(default)]
    pub owner: Option<UserId>,
    /// Values for the template's variables; defaults for those left out.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What it may use; the template's proposal when left out.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// Ports by the template's names; free ones of the node for those left out.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// The address of its ports; the node's first with free ports when left out.
    #[serde(default)]
    pub address: Option<String>,
    /// Start it as soon as it is installed.
    #[serde(default)]
    pub start: bool,
}

/// What to change; what is left out stays. Takes effect at the next start.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateServer {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// New values for these variables.
    #[serde(default)]
    pub variables: Option<BTreeMap<String, String>>,
    /// New limits.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// A new crash policy.
    #[serde(default)]
    pub crash: Option<CrashPolicy>,
    /// A new owner.
    #[serde(default)]
    pub owner: Option<UserId>,
    /// Use the newest version of the template.
    #[serde(default)]
    pub upgrade_template: bool,
    /// Refuse the change when the server's `generation` is another than this.
    #[serde(default)]
    pub generation: Option<u64>,
}

/// A power action.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// Which.
    pub action: PowerAction,
}

/// A line for the console.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// At most 2,048 bytes, no control characters.
    pub line: String,
}

/// A line was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandSent {
    /// The number of the console line under which it appears.
    pub line: Option<u64>,
}
