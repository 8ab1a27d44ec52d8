//! Who asks, from what came along. Answered from memory: no look-up can eject anybody.

use nodepanel_types::{ServerId, Timestamp, UserId, permission::Permission};

use super::{ApiKeyToken, SessionClaims, session::LASTS_MS};
use crate::{Actor, Context, ControlError, ControlPlane, Proof, authorize::Scope, secret::HostToken};

/// What came along to prove who asks.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Nothing.
    None,
    /// A session's cookie.
    Session(String),
    /// A bearer token.
    Bearer(String),
}

/// A value for the session's cookie.
#[derive(Debug, Clone)]
pub struct CookieValue {
    /// The sealed session.
    pub value: String,
    /// How long the browser keeps it, in seconds.
    pub max_age_s: u64,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who.
    pub actor: Actor,
    /// A fresh cookie, when it is time for one.
    pub renewed: Option<CookieValue>,
}

const ACCOUNT_REMOVED: ControlError = ControlError::SessionEnded("the account was removed");

impl ControlPlane {
    /// Who asks.
    ///
    /// # Errors
    /// `SignInRequired` without credentials, `SessionEnded` when the session is over, `BadApiKey` for unknown tokens;
    /// `Store` instead of the latter two when the store cannot be asked whether that is so.
    pub fn authenticate(&self, credential: &Credential) -> Result<Known, ControlError> {
        match credential {
            Credential::None => Err(ControlError::SignInRequired),
            Credential::Session(cookie) => self.session(cookie),
            Credential::Bearer(token) if HostToken::is_one(token) => {
                if HostToken::check(&self.master, token, self.now()) {
                    Ok(Known { actor: Actor::Host, renewed: None })
                } else {
                    Err(ControlError::BadApiKey)
                }
            }
            Credential::Bearer(token) => self.api_key(token).ok_or_else(|| self.missing(ControlError::BadApiKey)),
        }
    }

    /// The caller as they are now: long streams ask again and again, so that a revoked right ends them.
    pub fn still(&self, context: &Context) -> Result<Actor, ControlError> {
        match &context.actor {
            Actor::Host => Ok(Actor::Host),
            Actor::User { id, via, .. } => {
                let user = self.tables.users.get(id).ok_or_else(|| self.missing(ACCOUNT_REMOVED))?;
                match via {
                    Proof::ApiKey(key) => {
                        self.tables.api_keys.get(key).ok_or_else(|| self.missing(ControlError::BadApiKey))?;
                    }
                    Proof::Session { id: session, expires_at, epoch } => {
                        self.check_session(*id, *session, *epoch, *expires_at)?;
                    }
                }
                Ok(Actor::User { id: *id, role: user.record.role, via: *via })
            }
        }
    }

    /// Whether the caller may still do this with the server.
    pub fn still_may(&self, context: &Context, server: ServerId, permission: Permission) -> Result<(), ControlError> {
        let actor = self.still(context)?;
        let server = self.server_record(server)?;
        self.require(&actor, permission, Scope::Server(&server.record))
    }

    fn session(&self, cookie: &str) -> Result<Known, ControlError> {
        let claims = self
            .sessions
            .open(cookie)
            .map_err(|_| ControlError::SessionEnded("it was not opened at this installation, or its secret changed"))?;
        let now = self.now();
        let role = self.check_session(claims.user, claims.session, claims.epoch, claims.expires_at)?;
        let renewed = claims.renewed(now).and_then(|renewed| self.cookie(&renewed).ok());
        let via = Proof::Session { id: claims.session, expires_at: claims.expires_at, epoch: claims.epoch };
        Ok(Known { actor: Actor::User { id: claims.user, role, via }, renewed })
    }

    fn check_session(
        &self,
        user: UserId,
        session: nodepanel_types::SessionId,
        epoch: u64,
        expires_at: Timestamp,
    ) -> Result<nodepanel_types::permission::UserRole, ControlError> {
        if self.now() >= expires_at {
            return Err(ControlError::SessionEnded("it was not used for too long"));
        }
        let user = self.tables.users.get(&user).ok_or_else(|| self.missing(ACCOUNT_REMOVED))?;
        if user.record.session_epoch != epoch {
            // Of a later epoch than is known here, the session was opened after a change that is not known here yet.
            return Err(self.missing(ControlError::SessionEnded("the password or the role was changed")));
        }
        if self.tables.revocations.get(&session).is_some() {
            return Err(ControlError::SessionEnded("it was signed out"));
        }
        Ok(user.record.role)
    }

    fn api_key(&self, token: &str) -> Option<Known> {
        let token = ApiKeyToken::parse(token)?;
        let key = self.tables.api_keys.get(&token.id)?;
        if !token.matches(&key.record.secret_sha256) {
            return None;
        }
        let user = self.tables.users.get(&key.record.user)?;
        let via = Proof::ApiKey(token.id);
        Some(Known { actor: Actor::User { id: user.record.id, role: user.record.role, via }, renewed: None })
    }

    pub(super) fn cookie(&self, claims: &SessionClaims) -> Result<CookieValue, ControlError> {
        let value = self
            .sessions
            .seal(claims, &*self.ids)
            .map_err(|_| ControlError::Internal("a session could not be sealed".to_owned()))?;
        Ok(CookieValue { value, max_age_s: LASTS_MS / 1_000 })
    }
}
