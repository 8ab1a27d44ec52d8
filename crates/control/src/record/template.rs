//! Templates and their versions. A version never changes; servers name the one that they use.

use std::{fmt, str::FromStr};

use nodepanel_types::{TemplateId, Timestamp};
use serde::{Deserialize, Serialize};

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRecord {
    /// The id.
    pub id: TemplateId,
    /// Its short name. Also claimed in [`super::NameSpace::Template`].
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The newest version; counts from 1.
    pub version: u32,
    /// SHA-256 (hexadecimal) of the source that NodePanel brought, while nobody has changed it. A newer NodePanel
    /// replaces it only then.
    pub builtin_sha256: Option<String>,
    /// When the newest version was made.
    pub updated_at: Timestamp,
}

super::record!(TemplateRecord, "templates", TemplateId);

/// Names a version of a template: `<template>/<version>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TemplateVersionId {
    /// The template.
    pub template: TemplateId,
    /// The version.
    pub version: u32,
}

impl fmt::Display for TemplateVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:08}", self.template, self.version)
    }
}

impl FromStr for TemplateVersionId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("“{text}” names no version of a template");
        let (template, version) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Self { template: template.parse().map_err(|_| wrong())?, version: version.parse().map_err(|_| wrong())? })
    }
}

/// One version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateVersionRecord {
    /// Which version of which template.
    pub id: TemplateVersionId,
    /// The TOML.
    pub source: String,
    /// When it was made.
    pub created_at: Timestamp,
}

super::record!(TemplateVersionRecord, "template-versions", TemplateVersionId);
