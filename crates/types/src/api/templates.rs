//! Templates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{TemplateId, Timestamp, wire::Limits};

/// A template in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateSummary {
    /// The id.
    pub id: TemplateId,
    /// Its unique short name, for example `minecraft`.
    pub slug: String,
    /// Its name, for example `Minecraft (flying-squid)`.
    pub name: String,
    /// What it is, in a sentence or two.
    pub description: String,
    /// The newest version; counts from 1.
    pub version: u32,
    /// Whether it came with NodePanel and nobody has changed it.
    pub builtin: bool,
    /// Servers made from it.
    pub servers: u64,
    /// When the newest version was made.
    pub updated_at: Timestamp,
}

/// A template with everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TemplateView {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: TemplateSummary,
    /// The TOML of this version.
    pub source: String,
    /// Its variables.
    pub variables: Vec<VariableView>,
    /// Names of the ports that it needs; the first is the primary one.
    pub ports: Vec<String>,
    /// The limits that it proposes.
    pub limits: Limits,
    /// Commands that are offered while one is typed into a server's console.
    pub completions: Vec<String>,
}

/// A variable of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VariableView {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// What it does.
    pub help: String,
    /// The value when none is given.
    pub default: String,
    /// The allowed values, when there are only some.
    pub options: Vec<String>,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// Whether it may be empty.
    pub required: bool,
    /// Whether it is shown only when asked for.
    pub secret: bool,
}

/// TOML of a template.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateSource {
    /// The TOML; at most 256 KiB.
    pub source: String,
}
