//! Who asks.

use nodepanel_types::{ApiKeyId, RequestId, SessionId, Timestamp, UserId, permission::UserRole};

/// Who asks, proven by `account::authenticate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User {
        /// Who.
        id: UserId,
        /// The person's role now, not at sign-in.
        role: UserRole,
        /// What proved it.
        via: Proof,
    },
    /// Somebody who can read the installation's master key: the operator on the host.
    Host,
}

/// What proved who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A browser's session.
    Session {
        /// Which.
        id: SessionId,
        /// When it ends.
        expires_at: Timestamp,
        /// The person's epoch when it was opened.
        epoch: u64,
    },
    /// A bearer token.
    ApiKey(ApiKeyId),
}

impl Actor {
    /// The person, if it is one.
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Host => None,
        }
    }

    /// Whether every permission is held.
    pub const fn is_administrator(&self) -> bool {
        matches!(self, Self::Host | Self::User { role: UserRole::Administrator, .. })
    }

    /// Whose idempotency keys these are: keys of two callers never meet.
    pub fn scope(&self) -> String {
        match self {
            Self::User { id, .. } => id.to_string(),
            Self::Host => "host".to_owned(),
        }
    }
}

/// A request as the use-cases see it.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub actor: Actor,
    /// The request's id, for logs.
    pub request: RequestId,
    /// The caller's idempotency key, if one came along.
    pub key: Option<IdempotencyKey>,
}

impl Context {
    /// A request without an idempotency key.
    pub const fn new(actor: Actor, request: RequestId) -> Self {
        Self { actor, request, key: None }
    }
}

/// A caller's name for one request, and what the request was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// 1 to 128 characters of `[A-Za-z0-9._:-]`.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
}
