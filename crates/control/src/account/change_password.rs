//! Changing one's own password.

use nodepanel_store::Transaction;
use nodepanel_types::{UserId, api::ChangePassword};

use super::{Passwords, SignedIn};
use crate::{Context, ControlError, ControlPlane, record::UserRecord};

impl ControlPlane {
    /// Changes the caller's password; every other session of theirs ends.
    pub async fn change_password(&self, context: &Context, change: ChangePassword) -> Result<SignedIn, ControlError> {
        let id = context.actor.user().ok_or(ControlError::SignInRequired)?;
        self.once(context, self.replace_password(context, id, change)).await?;
        // The session is no part of the answer that is kept: it would be good for whoever repeats this, for a day.
        let user = self.tables.users.fresh(&id).await?.ok_or_else(gone)?;
        self.open_session(&user.record)
    }

    async fn replace_password(
        &self,
        context: &Context,
        id: UserId,
        change: ChangePassword,
    ) -> Result<(), ControlError> {
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
        self.commit(context, transaction, ()).await
    }
}

const fn gone() -> ControlError {
    ControlError::SessionEnded("the account was removed")
}
