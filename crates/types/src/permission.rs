//! Permissions, in one list, and the roles that hold them. The decision itself is `control::authorize`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that a person may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Permission {
    /// See a server and its figures.
    #[serde(rename = "server.view")]
    ServerView,
    /// Create servers.
    #[serde(rename = "server.create")]
    ServerCreate,
    /// Start, stop, restart and kill.
    #[serde(rename = "server.power")]
    ServerPower,
    /// Read the console.
    #[serde(rename = "server.console.read")]
    ConsoleRead,
    /// Type into the console.
    #[serde(rename = "server.console.send")]
    ConsoleSend,
    /// Change a server's name and variables, and install it again.
    #[serde(rename = "server.settings")]
    ServerSettings,
    /// Change a server's limits, ports and owner.
    #[serde(rename = "server.limits")]
    ServerLimits,
    /// Delete a server.
    #[serde(rename = "server.delete")]
    ServerDelete,
    /// See templates.
    #[serde(rename = "template.view")]
    TemplateView,
    /// Create, change and delete templates.
    #[serde(rename = "template.manage")]
    TemplateManage,
    /// See nodes and their ports.
    #[serde(rename = "node.view")]
    NodeView,
    /// Add, change and remove nodes and their ports.
    #[serde(rename = "node.manage")]
    NodeManage,
    /// See, create, change and delete users.
    #[serde(rename = "user.manage")]
    UserManage,
    /// See NodePanel's own processes.
    #[serde(rename = "component.view")]
    ComponentView,
    /// Make and revoke one's own API keys.
    #[serde(rename = "key.own")]
    KeyOwn,
}

impl Permission {
    /// What the owner of a server may do with it.
    pub const OWNER: &[Self] = &[
        Self::ServerView,
        Self::ServerPower,
        Self::ConsoleRead,
        Self::ConsoleSend,
        Self::ServerSettings,
        Self::ServerDelete,
    ];

    /// What everybody who is signed in may do.
    pub const EVERYBODY: &[Self] = &[Self::TemplateView, Self::KeyOwn];

    /// The permission's name in documents, for example `server.power`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerView => "server.view",
            Self::ServerCreate => "server.create",
            Self::ServerPower => "server.power",
            Self::ConsoleRead => "server.console.read",
            Self::ConsoleSend => "server.console.send",
            Self::ServerSettings => "server.settings",
            Self::ServerLimits => "server.limits",
            Self::ServerDelete => "server.delete",
            Self::TemplateView => "template.view",
            Self::TemplateManage => "template.manage",
            Self::NodeView => "node.view",
            Self::NodeManage => "node.manage",
            Self::UserManage => "user.manage",
            Self::ComponentView => "component.view",
            Self::KeyOwn => "key.own",
        }
    }
}

/// A person's role on the whole installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Holds every permission.
    Administrator,
    /// Holds `Permission::EVERYBODY`, and `Permission::OWNER` on the servers that belong to them.
    User,
}
