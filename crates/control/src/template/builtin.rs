//! The templates that NodePanel brings: made at the first start, renewed by newer versions of NodePanel while nobody
//! has changed them.

use nodepanel_store::Transaction;
use nodepanel_types::{
    TemplateId,
    template::{BUILTIN, Template},
};

use crate::{
    Context, ControlError, ControlPlane,
    account::digest,
    record::{NameRecord, NameSpace, TemplateRecord, TemplateVersionId, TemplateVersionRecord},
};

impl ControlPlane {
    /// Makes or renews the built-in templates. Fine to be run by several processes at once: one of them wins.
    pub(crate) async fn bring_templates(&self, context: &Context) -> Result<(), ControlError> {
        for (slug, source) in BUILTIN {
            match self.bring_template(context, slug, source).await {
                Ok(()) | Err(ControlError::Changed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn bring_template(&self, context: &Context, slug: &str, source: &str) -> Result<(), ControlError> {
        let sha256 = digest(source);
        if self.holds_builtin(slug, &sha256) {
            return Ok(());
        }
        let parsed = Template::parse(source).map_err(ControlError::Invalid)?;
        let Some(name) = self.tables.names.fresh(&NameRecord::key(NameSpace::Template, slug)).await? else {
            let (record, version) = self.first_version(&parsed, source.to_owned(), Some(sha256));
            return self.commit(context, self.with_new_template(&record, &version)?, ()).await;
        };
        let id = TemplateId::from_uuid(name.record.bearer);
        let Some(read) = self.tables.templates.fresh(&id).await? else { return Ok(()) };
        match &read.record.builtin_sha256 {
            Some(known) if *known != sha256 => {}
            _ => return Ok(()),
        }
        let changed = TemplateRecord {
            name: parsed.name.clone(),
            description: parsed.description.clone(),
            version: read.record.version + 1,
            builtin_sha256: Some(sha256),
            updated_at: self.now(),
            ..read.record.clone()
        };
        let version = TemplateVersionRecord {
            id: TemplateVersionId { template: id, version: changed.version },
            source: source.to_owned(),
            created_at: self.now(),
        };
        let transaction = Transaction::new().update(&changed, read.revision)?.create(&version)?;
        self.commit(context, transaction, ()).await
    }

    /// Whether this process knows that the template is there and came from this very source: what every start but the
    /// first finds, and then it asks nobody and parses nothing.
    fn holds_builtin(&self, slug: &str, sha256: &str) -> bool {
        let name = self.tables.names.get(&NameRecord::key(NameSpace::Template, slug));
        let template = name.and_then(|name| self.tables.templates.get(&TemplateId::from_uuid(name.record.bearer)));
        template.is_some_and(|template| template.record.builtin_sha256.as_deref() == Some(sha256))
    }
}
