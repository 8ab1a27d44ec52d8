//! The one place where it is decided who may do what.
//!
//! Endpoints and use-cases name a permission and a scope; they never look at roles. Finer permissions (sub-users,
//! groups) change this file and the records that it reads, nothing else.

use nodepanel_types::{UserId, permission::Permission};

use crate::{Actor, ControlError, ControlPlane, record::ServerRecord};

/// What a permission is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// The whole installation.
    Installation,
    /// One server.
    Server(&'a ServerRecord),
    /// Something that belongs to one person, for example their API keys.
    Person(UserId),
}

/// Whether `actor` holds `permission` on `scope`.
pub fn holds(actor: &Actor, permission: Permission, scope: Scope<'_>) -> bool {
    if actor.is_administrator() {
        return true;
    }
    let Some(user) = actor.user() else { return false };
    match scope {
        Scope::Installation => Permission::EVERYBODY.contains(&permission),
        Scope::Server(server) => server.owner == user && Permission::OWNER.contains(&permission),
        Scope::Person(person) => person == user && Permission::EVERYBODY.contains(&permission),
    }
}

/// Like [`holds`], as a refusal. A server that the actor may not even see does not exist for them.
fn require(actor: &Actor, permission: Permission, scope: Scope<'_>) -> Result<(), ControlError> {
    if holds(actor, permission, scope) {
        return Ok(());
    }
    match scope {
        Scope::Server(server) if !holds(actor, Permission::ServerView, scope) => {
            Err(ControlError::NotFound { kind: "server", id: server.id.to_string() })
        }
        _ => Err(ControlError::Forbidden(permission)),
    }
}

impl ControlPlane {
    /// Whether `actor` holds `permission` on `scope`, as a refusal. Who does not know yet what was written last does not
    /// know either which rights were given.
    pub(crate) fn require(&self, actor: &Actor, permission: Permission, scope: Scope<'_>) -> Result<(), ControlError> {
        require(actor, permission, scope).map_err(|refusal| self.missing(refusal))
    }
}

/// Every permission that `actor` holds on `scope`, for the panel to show what can be done.
pub fn held(actor: &Actor, scope: Scope<'_>) -> Vec<Permission> {
    const ALL: [Permission; 15] = [
        Permission::ServerView,
        Permission::ServerCreate,
        Permission::ServerPower,
        Permission::ConsoleRead,
        Permission::ConsoleSend,
        Permission::ServerSettings,
        Permission::ServerLimits,
        Permission::ServerDelete,
        Permission::TemplateView,
        Permission::TemplateManage,
        Permission::NodeView,
        Permission::NodeManage,
        Permission::UserManage,
        Permission::ComponentView,
        Permission::KeyOwn,
    ];
    ALL.into_iter().filter(|permission| holds(actor, *permission, scope)).collect()
}
