//! API keys: bearer tokens for scripts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ApiKeyId, Timestamp, UserId};

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyView {
    /// The id.
    pub id: ApiKeyId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// The first characters of the token, to recognise it.
    pub prefix: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A new key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKey {
    /// What it is for, 1 to 64 characters.
    pub name: String,
}

/// A new key with its secret, which is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyCreated {
    /// The key.
    pub key: ApiKeyView,
    /// The bearer token.
    pub token: String,
}
