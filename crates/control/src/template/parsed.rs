//! Parsed versions of templates. A version never changes, so each is parsed once.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use nodepanel_types::template::Template;

use crate::{ControlError, ControlPlane, record::TemplateVersionId};

/// Versions that were parsed, at most [`MOST`].
#[derive(Default)]
pub struct ParsedTemplates(RwLock<HashMap<TemplateVersionId, Arc<Template>>>);

/// Beyond this many versions the memory is given back and filled anew.
const MOST: usize = 512;

impl ControlPlane {
    /// A version of a template, parsed.
    pub(crate) fn parsed(&self, id: TemplateVersionId) -> Result<Arc<Template>, ControlError> {
        if let Some(known) = self.templates.0.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(Arc::clone(known));
        }
        let version = self
            .tables
            .template_versions
            .get(&id)
            .ok_or_else(|| self.missing(ControlError::NotFound { kind: "template version", id: id.to_string() }))?;
        // It was valid when it was stored; a newer NodePanel may be stricter.
        let parsed = Template::parse(&version.record.source).map(Arc::new).map_err(ControlError::Invalid)?;
        let mut known = self.templates.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id, Arc::clone(&parsed));
        Ok(parsed)
    }
}
