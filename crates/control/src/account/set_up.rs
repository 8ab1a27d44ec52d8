//! The first administrator, made with a one-time link.

use nodepanel_store::Transaction;
use nodepanel_types::{
    UserId,
    api::{Setup, SetupState},
    clock::NIL,
    permission::UserRole,
};
use subtle::ConstantTimeEq as _;

use super::{Passwords, SignedIn};
use crate::{
    Actor, Context, ControlError, ControlPlane,
    record::{InstallationRecord, NameRecord, NameSpace, UserRecord},
    secret::setup_token,
    validate::{Complaints, email},
};

impl ControlPlane {
    /// Whether the installation waits for its first administrator.
    pub fn setup_state(&self) -> Result<SetupState, ControlError> {
        let installation = self.tables.installation.get(&NIL).ok_or_else(not_loaded)?;
        Ok(SetupState { needed: installation.record.first_administrator.is_none() })
    }

    /// Makes the first administrator and signs them in.
    pub async fn set_up(&self, setup: Setup) -> Result<SignedIn, ControlError> {
        let genuine: bool = setup_token(&self.master).as_bytes().ct_eq(setup.token.trim().as_bytes()).into();
        if !genuine {
            return Err(ControlError::SetupClosed(
                "This is not the link that was printed on the host. `nodepanel setup-link` prints it again.",
            ));
        }
        let user = self.make_first_administrator(&setup.email, setup.password).await?;
        self.open_session(&user)
    }

    /// Makes the first administrator; refused when there is one.
    pub async fn make_first_administrator(&self, address: &str, password: String) -> Result<UserRecord, ControlError> {
        let mut complaints = Complaints::default();
        let address = complaints.check("email", email(address)).unwrap_or_default();
        complaints.extend(Passwords::complaint("password", &password, &address));
        complaints.finish()?;
        let read = self.tables.installation.fresh(&NIL).await?.ok_or_else(not_loaded)?;
        if read.record.first_administrator.is_some() {
            return Err(ControlError::SetupClosed("The first administrator exists already; sign in instead."));
        }
        let user = UserRecord {
            id: UserId::from_uuid(self.ids.uuid()),
            email: address,
            password_hash: self.passwords.hash(password).await?,
            role: UserRole::Administrator,
            session_epoch: 1,
            created_at: self.now(),
        };
        let name = NameRecord {
            id: NameRecord::key(NameSpace::Email, &user.email),
            bearer: *user.id.as_uuid(),
            since: self.now(),
        };
        let completed = InstallationRecord { first_administrator: Some(user.id), ..read.record.clone() };
        let mut transaction = Transaction::new().create(&user)?;
        transaction = transaction.create(&name)?;
        transaction = transaction.update(&completed, read.revision)?;
        let context = Context::new(Actor::Host, nodepanel_types::RequestId::from_uuid(self.ids.uuid()));
        match self.commit(&context, transaction, ()).await {
            Ok(()) => Ok(user),
            Err(ControlError::Changed(_)) => {
                Err(ControlError::SetupClosed("Somebody else used the link at the same moment; sign in instead."))
            }
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn not_loaded() -> ControlError {
    ControlError::Store(nodepanel_store::StoreError::Unavailable {
        reason: "this process has not read the store yet".to_owned(),
    })
}
