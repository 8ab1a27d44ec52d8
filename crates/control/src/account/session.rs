//! Sessions: sealed cookies that any API server verifies by itself, without asking anybody.
//!
//! A session ends when its time is over, when its person's `session_epoch` has moved on (password or role changed), or
//! when it is on the pushed revocation list. That the store cannot be asked ends none.

use nodepanel_types::{Millis, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// A session lasts this long after its last renewal: 14 days.
pub const LASTS_MS: Millis = 14 * 24 * 60 * 60 * 1_000;
/// A session that is used is renewed when it is older than this: one day.
pub const RENEW_AFTER_MS: Millis = 24 * 60 * 60 * 1_000;

/// What the cookie holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    /// The session; renewing keeps it.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The person's epoch at sign-in.
    pub epoch: u64,
    /// When this cookie was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl SessionClaims {
    /// A new session.
    pub const fn open(session: SessionId, user: UserId, epoch: u64, now: Timestamp) -> Self {
        Self { session, user, epoch, issued_at: now, expires_at: now.plus(LASTS_MS) }
    }

    /// The same session with a new end, when it is time for one.
    pub fn renewed(&self, now: Timestamp) -> Option<Self> {
        (now.since(self.issued_at) > RENEW_AFTER_MS).then(|| Self {
            issued_at: now,
            expires_at: now.plus(LASTS_MS),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_clock_that_is_set_ends_no_session() {
        let now = Timestamp::from_millis(1_000_000_000);
        let (session, user) = (SessionId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
        let claims = SessionClaims::open(session, user, 0, now);
        for shown in [now.as_millis() - 30_000, now.as_millis() + 30_000] {
            let shown = Timestamp::from_millis(shown);
            assert!(shown < claims.expires_at);
            assert_eq!(claims.renewed(shown), None);
        }
    }
}
