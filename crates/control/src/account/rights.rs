//! Word of whatever may end somebody's right to what they look at: long streams wait for it, so that signing out, a
//! revoked key or a changed role closes them at once, at every API server.

use nodepanel_store::RecordChange;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    ControlPlane,
    record::{ApiKeyRecord, RevocationRecord, UserRecord},
};

/// Changes of people, API keys and ended sessions from now on.
pub struct RightsChanges {
    users: Receiver<RecordChange<UserRecord>>,
    keys: Receiver<RecordChange<ApiKeyRecord>>,
    revocations: Receiver<RecordChange<RevocationRecord>>,
}

impl ControlPlane {
    /// Follows what rights depend on.
    pub fn rights_changes(&self) -> RightsChanges {
        RightsChanges {
            users: self.tables.users.subscribe(),
            keys: self.tables.api_keys.subscribe(),
            revocations: self.tables.revocations.subscribe(),
        }
    }
}

impl RightsChanges {
    /// Returns when somebody's rights may have changed: ask [`ControlPlane::still`] whether it is the reader. May be
    /// dropped at any time without missing anything.
    pub async fn next(&mut self) {
        let closed = tokio::select! {
            change = self.users.recv() => matches!(change, Err(RecvError::Closed)),
            change = self.keys.recv() => matches!(change, Err(RecvError::Closed)),
            change = self.revocations.recv() => matches!(change, Err(RecvError::Closed)),
        };
        if closed {
            // Nothing changes any more.
            std::future::pending::<()>().await;
        }
    }
}
