//! What is wanted of a game server.

use std::collections::BTreeMap;

use nodepanel_types::{
    NodeId, ServerId, TemplateId, Timestamp, UserId,
    state::{CrashPolicy, PowerIntent},
    wire::{Endpoint, Limits},
};
use serde::{Deserialize, Serialize};

/// A game server as it is wanted. What it does is observed, and not stored here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// The id.
    pub id: ServerId,
    /// The name that its owner gave it.
    pub name: String,
    /// Whose it is.
    pub owner: UserId,
    /// Where it is.
    pub node: NodeId,
    /// What it was made from.
    pub template: TemplateId,
    /// Which version of it.
    pub template_version: u32,
    /// Values of all of the template's variables.
    pub variables: BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
    /// Its addresses and ports; the first is the primary one.
    pub endpoints: Vec<Endpoint>,
    /// How crashes are answered.
    pub crash: CrashPolicy,
    /// What its owner asked for last.
    pub power: PowerIntent,
    /// Counts the installations that were asked for, from 1.
    pub install_serial: u64,
    /// Counts the changes of this record. The node refuses what is older than what it has.
    pub generation: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its deletion was asked for; the record goes when its node has carried it out.
    pub deleting_since: Option<Timestamp>,
}

super::record!(ServerRecord, "servers", ServerId);
