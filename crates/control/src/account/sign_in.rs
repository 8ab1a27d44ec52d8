//! Signing in and out.

use std::net::IpAddr;

use nodepanel_store::Transaction;
use nodepanel_types::{
    SessionId,
    api::{Credentials, SessionView},
};

use super::{CookieValue, SessionClaims};
use crate::{
    Actor, Context, ControlError, ControlPlane, Proof,
    authorize::{Scope, held},
    record::{NameRecord, NameSpace, RevocationRecord, UserRecord},
};

/// A session that was opened.
pub struct SignedIn {
    /// Who it is.
    pub view: SessionView,
    /// The session's cookie.
    pub cookie: CookieValue,
}

impl ControlPlane {
    /// Whether an address may try to sign in; costs little, so that a flood is refused before its requests are read.
    pub fn may_sign_in(&self, address: IpAddr) -> Result<(), ControlError> {
        self.logins.check(address, self.now(), &self.tables)
    }

    /// Opens a session.
    pub async fn sign_in(&self, credentials: Credentials, address: IpAddr) -> Result<SignedIn, ControlError> {
        let attempt = self.logins.admit(address, &credentials.email, self.now(), &self.tables)?;
        let name = NameRecord::key(NameSpace::Email, credentials.email.trim());
        let user = self
            .tables
            .names
            .get(&name)
            .and_then(|name| self.tables.users.get(&nodepanel_types::UserId::from_uuid(name.record.bearer)));
        let hash = user.as_ref().map(|user| user.record.password_hash.clone());
        let right = self.passwords.verify(credentials.password, hash).await.inspect_err(|_| {
            attempt.take_back(self.now());
        })?;
        let user = user.filter(|_| right).ok_or(ControlError::BadCredentials)?;
        attempt.succeeded(user.record.id, self.now());
        self.open_session(&user.record)
    }

    /// Opens a session for somebody whose identity was proven.
    pub(super) fn open_session(&self, user: &UserRecord) -> Result<SignedIn, ControlError> {
        let session = SessionId::from_uuid(self.ids.uuid());
        let claims = SessionClaims::open(session, user.id, user.session_epoch, self.now());
        let via = Proof::Session { id: session, expires_at: claims.expires_at, epoch: claims.epoch };
        let actor = Actor::User { id: user.id, role: user.role, via };
        Ok(SignedIn { view: self.view_session(&actor, user), cookie: self.cookie(&claims)? })
    }

    /// Ends the caller's session, on every API server.
    pub async fn sign_out(&self, context: &Context) -> Result<(), ControlError> {
        let Actor::User { via: Proof::Session { id, expires_at, .. }, .. } = &context.actor else {
            return Err(ControlError::StateForbids(
                "An API key is no session; revoke the key to end its use.".to_owned(),
            ));
        };
        if self.tables.revocations.get(id).is_some() {
            return Ok(());
        }
        let record = RevocationRecord { id: *id, until: *expires_at };
        let transaction = Transaction::new().create(&record)?;
        match self.commit(context, transaction, ()).await {
            // Another request of the same session was faster.
            Ok(()) | Err(ControlError::Changed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Who the caller is, and what they may do.
    pub fn session_view(&self, context: &Context) -> Result<SessionView, ControlError> {
        let Some(id) = context.actor.user() else {
            return Err(ControlError::StateForbids(
                "The host itself is no user; use an API key or sign in.".to_owned(),
            ));
        };
        let user = self.tables.users.get(&id).ok_or(ControlError::SessionEnded("the account was removed"))?;
        Ok(self.view_session(&context.actor, &user.record))
    }

    fn view_session(&self, actor: &Actor, user: &UserRecord) -> SessionView {
        let expires_at = match actor {
            Actor::User { via: Proof::Session { expires_at, .. }, .. } => Some(*expires_at),
            _ => None,
        };
        SessionView {
            user: self.view_user(user),
            expires_at,
            permissions: held(actor, Scope::Installation),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
