//! API keys of the caller.

use nodepanel_store::Transaction;
use nodepanel_types::{
    ApiKeyId, UserId,
    api::{ApiKeyCreated, ApiKeyView, CreateApiKey, Page},
    permission::Permission,
};

use super::ApiKeyToken;
use crate::{
    Context, ControlError, ControlPlane, ListQuery,
    authorize::Scope,
    record::ApiKeyRecord,
    validate::{Complaints, display_name},
};

/// Keys that one person may have.
const MOST: u64 = 100;

impl ControlPlane {
    /// The caller's keys, oldest first.
    pub fn list_keys(&self, context: &Context, query: &ListQuery) -> Result<Page<ApiKeyView>, ControlError> {
        let user = own_keys(context)?;
        let mine = self.tables.api_keys.all().into_iter().filter(|key| key.record.user == user).collect();
        Ok(query.page(mine, |key| key.record.id.to_string(), |key| view(&key.record)))
    }

    /// A new key for the caller.
    pub async fn create_key(&self, context: &Context, body: CreateApiKey) -> Result<ApiKeyCreated, ControlError> {
        let user = own_keys(context)?;
        self.create_key_for(context, user, body).await
    }

    /// A new key for any user; only the host itself and administrators reach this.
    pub async fn create_key_for(
        &self,
        context: &Context,
        user: UserId,
        body: CreateApiKey,
    ) -> Result<ApiKeyCreated, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::KeyOwn, Scope::Person(user))?;
            let mut complaints = Complaints::default();
            let name = complaints.check("name", display_name(&body.name)).unwrap_or_default();
            complaints.finish()?;
            if self.tables.users.get(&user).is_none() {
                return Err(self.missing(ControlError::NotFound { kind: "user", id: user.to_string() }));
            }
            if self.tables.api_keys.count(|key| key.user == user) >= MOST {
                return Err(ControlError::InUse(format!(
                    "A user can have {MOST} keys; revoke one that is not needed."
                )));
            }
            let token = ApiKeyToken::make(ApiKeyId::from_uuid(self.ids.uuid()), &*self.ids);
            let record =
                ApiKeyRecord { id: token.id, user, name, secret_sha256: token.digest(), created_at: self.now() };
            let transaction = Transaction::new().create(&record)?;
            let created = ApiKeyCreated { key: view(&record), token: token.reveal() };
            self.commit(context, transaction, created).await
        })
        .await
    }

    /// Revokes a key of the caller; administrators may revoke any.
    pub async fn delete_key(&self, context: &Context, id: ApiKeyId) -> Result<(), ControlError> {
        self.once(context, async {
            let unknown = || ControlError::NotFound { kind: "API key", id: id.to_string() };
            let read = self.tables.api_keys.fresh(&id).await?.ok_or_else(unknown)?;
            let allowed = self.require(&context.actor, Permission::KeyOwn, Scope::Person(read.record.user));
            allowed.map_err(|refusal| if refusal.is_verdict() { unknown() } else { refusal })?;
            let transaction = Transaction::new().remove::<ApiKeyRecord>(&read.record.id, read.revision)?;
            self.commit(context, transaction, ()).await
        })
        .await
    }
}

fn own_keys(context: &Context) -> Result<UserId, ControlError> {
    context.actor.user().ok_or_else(|| {
        ControlError::StateForbids(
            "The host itself has no API keys; use `nodepanel token create --user EMAIL`.".to_owned(),
        )
    })
}

fn view(key: &ApiKeyRecord) -> ApiKeyView {
    ApiKeyView {
        id: key.id,
        user: key.user,
        name: key.name.clone(),
        prefix: ApiKeyToken::shown(key.id),
        created_at: key.created_at,
    }
}
