//! Changing one's own password.

use nodepanel_store::Transaction;
use nodepanel_types::api::ChangePassword;

use super::{Passwords, SignedIn};
use crate::{Context, ControlError, ControlPlane, record::UserRecord};

impl ControlPlane {
    /// Changes the caller's password; every other session of theirs ends.
    pub async fn change_password(&self, context: &Context, change: ChangePassword) -> Result<SignedIn, ControlError> {
        let gone = || ControlError::SessionEnded("the account was removed");
        let id = context.actor.user().ok_or(ControlError::SignInRequired)?;
        let read = self.tables.users.fresh(&id).await?.ok_or_else(gone)?;
        if let Some(complaint) = Passwords::complaint("new", &change.new, &read.record.email) {
            return Err(ControlError::Invalid(vec![complaint]));
        }
        if !self.passwords.verify(change.current, Some(read.record.password_hash.clone())).await? {
            return Err(ControlError::field("current", "is not your present password."));
        }
        let changed = UserRecord {
            password_hash: self.passwords.hash(change.new).await?,
            session_epoch: read.record.session_epoch + 1,
            ..read.record.clone()
        };
        let transaction = Transaction::new().update(&changed, read.revision)?;
        self.commit(context, transaction, ()).await?;
        self.open_session(&changed)
    }
}
