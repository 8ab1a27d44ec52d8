//! What lets somebody in: API keys, revoked sessions, permissions to join.

use nodepanel_types::{ApiKeyId, EnrolmentId, NodeId, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// A bearer token, of which only a hash is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    /// The id; part of the token, so that it is found without a search.
    pub id: ApiKeyId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token's secret, hexadecimal. The secret has 256 random bits, so a fast hash is enough.
    pub secret_sha256: String,
    /// When it was made.
    pub created_at: Timestamp,
}

super::record!(ApiKeyRecord, "api-keys", ApiKeyId);

impl std::fmt::Debug for ApiKeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeyRecord").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A session that was ended before its time. Pushed to every API server with the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationRecord {
    /// The session.
    pub id: SessionId,
    /// When the session would have ended by itself; afterwards the record is of no use.
    pub until: Timestamp,
}

super::record!(RevocationRecord, "revocations", SessionId);

/// A one-time permission for a machine to become a node.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentRecord {
    /// The id; part of the join token.
    pub id: EnrolmentId,
    /// The node that the machine becomes.
    pub node: NodeId,
    /// SHA-256 of the token's secret, hexadecimal.
    pub secret_sha256: String,
    /// When it is no longer accepted.
    pub expires_at: Timestamp,
    /// Who used it.
    pub used: Option<EnrolmentUse>,
}

/// The use of a permission to join. The same machine may repeat it, in case the answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentUse {
    /// When.
    pub at: Timestamp,
    /// The key that asked for a certificate.
    pub request_key: String,
}

super::record!(EnrolmentRecord, "enrolments", EnrolmentId);

impl std::fmt::Debug for EnrolmentRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolmentRecord").field("id", &self.id).field("node", &self.node).finish_non_exhaustive()
    }
}
