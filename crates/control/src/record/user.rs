//! A person who can sign in.

use nodepanel_types::{Timestamp, UserId, permission::UserRole};
use serde::{Deserialize, Serialize};

/// A person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The id.
    pub id: UserId,
    /// The address to sign in with, in lower case. Also claimed in [`super::NameSpace::Email`].
    pub email: String,
    /// The argon2id hash, in PHC form.
    pub password_hash: String,
    /// The role on the whole installation.
    pub role: UserRole,
    /// Sessions that were opened in an earlier epoch have ended.
    pub session_epoch: u64,
    /// When the account was made.
    pub created_at: Timestamp,
}

super::record!(UserRecord, "users", UserId);

impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the hash nor the address belongs into a log.
        f.debug_struct("UserRecord").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}
