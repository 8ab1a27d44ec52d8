//! Who decides, on the API server's side, which machine becomes a node and which node may link.

use std::net::SocketAddr;

use async_trait::async_trait;
use nodepanel_types::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    pki::CertificateFacts,
    wire::{EnrolReply, EnrolRequest},
};

/// The decisions about enrolment and admission.
#[async_trait]
pub trait EnrolmentAuthority: Send + Sync + 'static {
    /// Checks the one-time secret (in constant time), makes the machine a node and issues its certificate.
    ///
    /// A repetition with the same key (`pki::request_key` of the CSR) must be answered again: the first answer may
    /// have been lost on its way. With another key the permission is used up.
    async fn enrol(&self, request: EnrolRequest, peer: SocketAddr) -> Result<EnrolReply, EnrolRefusal>;

    /// Whether a node with a valid certificate may link now; if not, why, as a sentence for the node's operator.
    /// Asked at every connection, must answer at once, from memory.
    fn admit(&self, node: NodeId, certificate: &CertificateFacts) -> Result<(), String>;
}

/// Why a machine does not become a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum EnrolRefusal {
    /// There is no such permission, or its secret is another.
    #[error("the panel does not know this join token; make a new one in the panel")]
    Unknown,
    /// It has expired.
    #[error("this join token expired at {at}; make a new one in the panel")]
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Another machine, or this one with a lost key, has used it.
    #[error("this join token was used at {at}, and works only once; make a new one in the panel")]
    Used {
        /// When.
        at: Timestamp,
    },
    /// The clocks differ so much that certificates would not be valid.
    #[error("this machine's clock ({here}) and the panel's ({there}) differ by more than a day; set them right first")]
    ClockSkew {
        /// The machine's clock.
        here: Timestamp,
        /// The API server's clock.
        there: Timestamp,
    },
    /// The request is not understood.
    #[error("the panel does not understand the request: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// It cannot be decided now.
    #[error("the panel cannot enrol machines at the moment: {why}. Try again later, the token stays valid")]
    Unavailable {
        /// Why.
        why: String,
    },
    /// A reason that this version does not know.
    #[error("the panel refused; its version is newer than this one")]
    #[serde(other)]
    Other,
}
