//! Users, for administrators.

use nodepanel_store::{Stored, Transaction};
use nodepanel_types::{
    UserId,
    api::{CreateUser, Page, UpdateUser, UserView},
    permission::{Permission, UserRole},
};

use super::Passwords;
use crate::{
    Context, ControlError, ControlPlane, ListQuery,
    authorize::Scope,
    record::{ApiKeyRecord, LoginHomesRecord, NameRecord, NameSpace, UserRecord},
    validate::{Complaints, email},
};

impl ControlPlane {
    /// Everybody who can sign in, by address.
    pub fn list_users(&self, context: &Context, query: &ListQuery) -> Result<Page<UserView>, ControlError> {
        self.require(&context.actor, Permission::UserManage, Scope::Installation)?;
        let users = self.tables.users.all();
        Ok(query.page(users, |user| user.record.email.clone(), |user| self.view_user(&user.record)))
    }

    /// One user.
    pub fn user(&self, context: &Context, id: UserId) -> Result<UserView, ControlError> {
        if context.actor.user() != Some(id) {
            self.require(&context.actor, Permission::UserManage, Scope::Installation)?;
        }
        let user = self.tables.users.get(&id).ok_or_else(|| self.missing(unknown(id)))?;
        Ok(self.view_user(&user.record))
    }

    /// A new user.
    pub async fn create_user(&self, context: &Context, body: CreateUser) -> Result<UserView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::UserManage, Scope::Installation)?;
            let mut complaints = Complaints::default();
            let address = complaints.check("email", email(&body.email)).unwrap_or_default();
            complaints.extend(Passwords::complaint("password", &body.password, &address));
            complaints.finish()?;
            let user = UserRecord {
                id: UserId::from_uuid(self.ids.uuid()),
                email: address,
                password_hash: self.passwords.hash(body.password).await?,
                role: body.role,
                session_epoch: 1,
                created_at: self.now(),
            };
            let mut transaction = Transaction::new().create(&user)?;
            transaction = transaction.create(&self.address_claim(&user))?;
            let view = self.view_user(&user);
            self.commit(context, transaction, view).await.map_err(|error| taken(error, &user.email))
        })
        .await
    }

    /// Changes a user.
    pub async fn update_user(&self, context: &Context, id: UserId, body: UpdateUser) -> Result<UserView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::UserManage, Scope::Installation)?;
            let read = self.tables.users.fresh(&id).await?.ok_or_else(|| unknown(id))?;
            let mut changed = read.record.clone();
            let mut complaints = Complaints::default();
            if let Some(address) = &body.email
                && let Some(address) = complaints.check("email", email(address))
            {
                changed.email = address;
            }
            if let Some(password) = &body.password {
                complaints.extend(Passwords::complaint("password", password, &changed.email));
            }
            complaints.finish()?;
            if let Some(role) = body.role {
                self.keep_an_administrator(&read, role)?;
                changed.role = role;
            }
            if let Some(password) = body.password {
                changed.password_hash = self.passwords.hash(password).await?;
            }
            if changed.password_hash != read.record.password_hash || changed.role != read.record.role {
                changed.session_epoch += 1;
            }
            let mut transaction = Transaction::new().update(&changed, read.revision)?;
            if changed.email != read.record.email {
                let old = NameRecord::key(NameSpace::Email, &read.record.email);
                if let Some(claim) = self.tables.names.fresh(&old).await? {
                    transaction = transaction.remove::<NameRecord>(&claim.record.id, claim.revision)?;
                }
                transaction = transaction.create(&self.address_claim(&changed))?;
            }
            let view = self.view_user(&changed);
            self.commit(context, transaction, view).await.map_err(|error| taken(error, &changed.email))
        })
        .await
    }

    /// Removes a user who owns no servers.
    pub async fn delete_user(&self, context: &Context, id: UserId) -> Result<(), ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::UserManage, Scope::Installation)?;
            let read = self.tables.users.fresh(&id).await?.ok_or_else(|| unknown(id))?;
            let servers = self.tables.servers.count(|server| server.owner == id);
            if servers > 0 {
                return Err(ControlError::InUse(format!(
                    "{} owns {servers} server(s). Give them to somebody else or delete them first.",
                    read.record.email
                )));
            }
            self.keep_an_administrator(&read, UserRole::User)?;
            let mut transaction = Transaction::new().remove::<UserRecord>(&read.record.id, read.revision)?;
            if let Some(claim) = self.tables.names.fresh(&NameRecord::key(NameSpace::Email, &read.record.email)).await?
            {
                transaction = transaction.remove::<NameRecord>(&claim.record.id, claim.revision)?;
            }
            if let Some(homes) = self.tables.login_homes.fresh(&id).await? {
                transaction = transaction.remove::<LoginHomesRecord>(&id, homes.revision)?;
            }
            for key in self.tables.api_keys.all().iter().filter(|key| key.record.user == id) {
                transaction = transaction.remove::<ApiKeyRecord>(&key.record.id, key.revision)?;
            }
            self.commit(context, transaction, ()).await
        })
        .await
    }

    fn address_claim(&self, user: &UserRecord) -> NameRecord {
        NameRecord { id: NameRecord::key(NameSpace::Email, &user.email), bearer: *user.id.as_uuid(), since: self.now() }
    }

    /// Refuses to take the last administrator away.
    fn keep_an_administrator(&self, user: &Stored<UserRecord>, role: UserRole) -> Result<(), ControlError> {
        let others =
            self.tables.users.count(|other| other.role == UserRole::Administrator && other.id != user.record.id);
        if user.record.role == UserRole::Administrator && role != UserRole::Administrator && others == 0 {
            return Err(ControlError::InUse(
                "This is the only administrator. Make another one first, or nobody could administer the installation."
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn unknown(id: UserId) -> ControlError {
    ControlError::NotFound { kind: "user", id: id.to_string() }
}

/// A conflict while an address is claimed means that somebody has it.
fn taken(error: ControlError, email: &str) -> ControlError {
    match error {
        ControlError::Changed(_) => ControlError::Exists(format!("There is already a user with the address {email}.")),
        other => other,
    }
}
