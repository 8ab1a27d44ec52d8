//! What there is once: the installation's secrets, and whether its first administrator was made.

use nodepanel_types::{NodeId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The one record of the installation. Its id is the nil UUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationRecord {
    /// Always `clock::NIL`.
    pub id: Uuid,
    /// When it was set up.
    pub created_at: Timestamp,
    /// [`InstallationSecrets`], sealed with the master key.
    pub secrets: String,
    /// Who used the one-time link; `None` while it is open.
    pub first_administrator: Option<UserId>,
    /// The node of the host that was set up first, while it exists.
    pub local_node: Option<NodeId>,
}

super::record!(InstallationRecord, "installation", Uuid);

/// Secrets of the installation.
#[derive(Clone, Serialize, Deserialize)]
pub struct InstallationSecrets {
    /// The certificate authority of the links, as `backbone` writes it.
    pub certificate_authority: nodepanel_backbone::pki::StoredAuthority,
}
