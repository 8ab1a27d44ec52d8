//! Names that must be unique, claimed by their own key in the same transaction as the record that bears them.

use nodepanel_types::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Among what a name must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameSpace {
    /// E-mail addresses of users.
    Email,
    /// Names of nodes.
    Node,
    /// Slugs of templates.
    Template,
}

impl NameSpace {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Node => "node",
            Self::Template => "template",
        }
    }
}

/// A claimed name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    /// `<space>/<name>`.
    pub id: String,
    /// The id of the record that bears the name.
    pub bearer: Uuid,
    /// Since when.
    pub since: Timestamp,
}

impl NameRecord {
    /// The key of a name. `name` is compared in lower case and must have been validated: no slash, no control
    /// characters.
    pub fn key(space: NameSpace, name: &str) -> String {
        format!("{}/{}", space.as_str(), name.to_lowercase())
    }
}

super::record!(NameRecord, "names", String);
