//! What the two ends of a link say to each other about the link itself.
//!
//! All of it are requests of the API server, answered by the agent's link layer before any handler sees them.
//! Unknown fields are ignored, so that either end can be upgraded first.

use std::fmt;

use nodepanel_types::{NodeId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

use crate::LinkAddress;

/// POST [`Hello`] → [`HelloReply`]: the first request on every connection.
pub const HELLO: &str = "/v1/link/hello";
/// POST [`Instances`] → 204: the API servers at this address have changed.
pub const INSTANCES: &str = "/v1/link/instances";
/// POST [`Goodbye`] → 204: the API server is about to close the connection.
pub const GOODBYE: &str = "/v1/link/goodbye";
/// POST [`EnrolRequest`] → [`EnrolReply`]: the other way round, from a machine that is no node yet.
pub const ENROL: &str = "/v1/enrol";

/// Who has accepted the connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// The API server that accepted.
    pub instance: WorkerId,
    /// Every API server that accepts on this address, this one included.
    pub instances: Vec<WorkerId>,
    /// The epoch of the agent that this API server has a live connection of this purpose with, if it has one.
    pub linked: Option<u64>,
    /// The API server's clock.
    pub now: Timestamp,
}

/// Who has dialled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HelloReply {
    /// When the agent's life began: of two agents with one certificate the higher one wins.
    pub epoch: u64,
    /// The agent has a connection to this API server already and will close this one.
    pub duplicate: bool,
    /// The agent's version.
    pub version: String,
    /// The agent's clock.
    pub now: Timestamp,
}

/// Every API server that accepts on this address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Instances {
    /// Their ids.
    pub instances: Vec<WorkerId>,
}

/// Why an API server closes a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// The kind of reason.
    pub reason: GoodbyeReason,
    /// For people.
    pub message: String,
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// A newer agent has linked with the same certificate.
    Superseded,
    /// The same agent has made a newer connection.
    Replaced,
    /// The node may not link: it was removed, or its certificate revoked.
    NotAdmitted,
    /// The API server ends.
    Draining,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What is known of a machine when it enrols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// The machine's own name.
    pub hostname: String,
    /// NodePanel's version on it.
    pub version: String,
    /// For example `Debian GNU/Linux 12 (bookworm), Linux 6.1.0`.
    pub system: String,
}

/// A machine asks to become a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The permission it holds.
    pub enrolment: nodepanel_types::EnrolmentId,
    /// The permission's secret.
    pub secret: crate::pki::Secret,
    /// Its key, PEM (PKCS #10).
    pub csr: String,
    /// What it is.
    pub facts: MachineFacts,
    /// Its clock.
    pub now: Timestamp,
}

/// It has become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolReply {
    /// Which node it is now.
    pub node: NodeId,
    /// Its certificate, PEM.
    pub certificate: String,
    /// The CA's certificate, PEM.
    pub ca: String,
    /// Where the API servers accept links.
    pub addresses: Vec<LinkAddress>,
}
