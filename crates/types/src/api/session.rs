//! Signing in, and the first administrator.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::UserView;
use crate::{Timestamp, permission::Permission};

/// What a person signs in with.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The address that the account was made with; case does not matter.
    pub email: String,
    /// The password.
    pub password: String,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// The person.
    pub user: UserView,
    /// When the session ends if it is not used; `null` for API keys.
    pub expires_at: Option<Timestamp>,
    /// What the person may do on the whole installation.
    pub permissions: Vec<Permission>,
    /// NodePanel's version.
    pub version: String,
}

/// Whether the first administrator is still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupState {
    /// True until there is an administrator.
    pub needed: bool,
}

/// Makes the first administrator.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The secret from the one-time link.
    pub token: String,
    /// The administrator's e-mail address.
    pub email: String,
    /// At least 10 characters.
    pub password: String,
}

/// Changes one's own password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present one.
    pub current: String,
    /// At least 10 characters. Every other session of the person ends.
    pub new: String,
}
