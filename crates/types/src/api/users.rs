//! Users.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Timestamp, UserId, permission::UserRole};

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// The id.
    pub id: UserId,
    /// The address to sign in with, in lower case.
    pub email: String,
    /// The role on the whole installation.
    pub role: UserRole,
    /// When the account was made.
    pub created_at: Timestamp,
    /// How many servers belong to the person.
    pub servers: u64,
}

/// A new person.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// The address to sign in with.
    pub email: String,
    /// At least 10 characters.
    pub password: String,
    /// `user` when left out.
    #[serde(default = "user")]
    pub role: UserRole,
}

const fn user() -> UserRole {
    UserRole::User
}

/// What to change; what is left out stays.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    /// A new address.
    #[serde(default)]
    pub email: Option<String>,
    /// A new password; ends the person's sessions.
    #[serde(default)]
    pub password: Option<String>,
    /// A new role.
    #[serde(default)]
    pub role: Option<UserRole>,
}
