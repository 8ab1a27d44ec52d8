//! Seeing, making, changing and removing templates.

use nodepanel_store::Transaction;
use nodepanel_types::{
    TemplateId,
    api::{Page, TemplateSource, TemplateSummary, TemplateView, VariableView},
    permission::Permission,
    template::Template,
};

use crate::{
    Context, ControlError, ControlPlane, ListQuery,
    authorize::Scope,
    record::{NameRecord, NameSpace, TemplateRecord, TemplateVersionId, TemplateVersionRecord},
};

impl ControlPlane {
    /// What servers can be made from, by name.
    pub fn list_templates(&self, context: &Context, query: &ListQuery) -> Result<Page<TemplateSummary>, ControlError> {
        self.require(&context.actor, Permission::TemplateView, Scope::Installation)?;
        let sort = |record: &TemplateRecord| ListQuery::sort_key(&record.name, record.id);
        Ok(query.page(self.tables.templates.all(), |t| sort(&t.record), |t| self.summary(&t.record)))
    }

    /// A template with the source of one version; the newest when none is named.
    pub fn template(
        &self,
        context: &Context,
        id: TemplateId,
        version: Option<u32>,
    ) -> Result<TemplateView, ControlError> {
        self.require(&context.actor, Permission::TemplateView, Scope::Installation)?;
        let template = self.tables.templates.get(&id).ok_or_else(|| self.missing(unknown(id)))?;
        let version_id = TemplateVersionId { template: id, version: version.unwrap_or(template.record.version) };
        let version = self.tables.template_versions.get(&version_id).ok_or_else(|| {
            self.missing(ControlError::NotFound { kind: "template version", id: version_id.to_string() })
        })?;
        let mut summary = self.summary(&template.record);
        summary.version = version_id.version;
        Ok(view(summary, version.record.source.clone(), &*self.parsed(version_id)?))
    }

    /// A new template.
    pub async fn create_template(&self, context: &Context, body: TemplateSource) -> Result<TemplateView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::TemplateManage, Scope::Installation)?;
            let parsed = Template::parse(&body.source).map_err(ControlError::Invalid)?;
            let (record, version) = self.first_version(&parsed, body.source, None);
            let transaction = self.with_new_template(&record, &version)?;
            let view = view(self.summary(&record), version.source, &parsed);
            self.commit(context, transaction, view).await.map_err(|error| match error {
                ControlError::Changed(_) => taken(&record.slug),
                other => other,
            })
        })
        .await
    }

    /// A new version of a template. Servers keep theirs.
    pub async fn update_template(
        &self,
        context: &Context,
        id: TemplateId,
        body: TemplateSource,
    ) -> Result<TemplateView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::TemplateManage, Scope::Installation)?;
            let read = self.tables.templates.fresh(&id).await?.ok_or_else(|| unknown(id))?;
            let parsed = Template::parse(&body.source).map_err(ControlError::Invalid)?;
            if parsed.slug != read.record.slug {
                return Err(ControlError::field(
                    "slug",
                    format!("must stay {}; a template with another slug is another template.", read.record.slug),
                ));
            }
            let changed = TemplateRecord {
                name: parsed.name.clone(),
                description: parsed.description.clone(),
                version: read.record.version + 1,
                builtin_sha256: None,
                updated_at: self.now(),
                ..read.record.clone()
            };
            let version = TemplateVersionRecord {
                id: TemplateVersionId { template: id, version: changed.version },
                source: body.source,
                created_at: self.now(),
            };
            let transaction = Transaction::new().update(&changed, read.revision)?.create(&version)?;
            let view = view(self.summary(&changed), version.source, &parsed);
            self.commit(context, transaction, view).await
        })
        .await
    }

    /// Removes a template that no server uses.
    pub async fn delete_template(&self, context: &Context, id: TemplateId) -> Result<(), ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::TemplateManage, Scope::Installation)?;
            let read = self.tables.templates.fresh(&id).await?.ok_or_else(|| unknown(id))?;
            let servers = self.tables.servers.count(|server| server.template == id);
            if servers > 0 {
                return Err(ControlError::InUse(format!("{servers} server(s) use this template. Delete them first.")));
            }
            let mut transaction = Transaction::new().remove::<TemplateRecord>(&id, read.revision)?;
            if let Some(name) =
                self.tables.names.fresh(&NameRecord::key(NameSpace::Template, &read.record.slug)).await?
            {
                transaction = transaction.remove::<NameRecord>(&name.record.id, name.revision)?;
            }
            // The newest versions fit into the transaction; the collector takes what is left of very long histories.
            for version in
                self.tables.template_versions.filter(|version| version.id.template == id).iter().rev().take(60)
            {
                transaction = transaction.remove::<TemplateVersionRecord>(&version.record.id, version.revision)?;
            }
            self.commit(context, transaction, ()).await
        })
        .await
    }

    /// The records of a template that is new.
    pub(super) fn first_version(
        &self,
        parsed: &Template,
        source: String,
        builtin_sha256: Option<String>,
    ) -> (TemplateRecord, TemplateVersionRecord) {
        let id = TemplateId::from_uuid(self.ids.uuid());
        let record = TemplateRecord {
            id,
            slug: parsed.slug.clone(),
            name: parsed.name.clone(),
            description: parsed.description.clone(),
            version: 1,
            builtin_sha256,
            updated_at: self.now(),
        };
        let version = TemplateVersionRecord {
            id: TemplateVersionId { template: id, version: 1 },
            source,
            created_at: self.now(),
        };
        (record, version)
    }

    /// The creation of a template, with the claim of its slug.
    pub(super) fn with_new_template(
        &self,
        record: &TemplateRecord,
        version: &TemplateVersionRecord,
    ) -> Result<Transaction, ControlError> {
        let name = NameRecord {
            id: NameRecord::key(NameSpace::Template, &record.slug),
            bearer: *record.id.as_uuid(),
            since: self.now(),
        };
        Ok(Transaction::new().create(record)?.create(version)?.create(&name)?)
    }

    fn summary(&self, record: &TemplateRecord) -> TemplateSummary {
        TemplateSummary {
            id: record.id,
            slug: record.slug.clone(),
            name: record.name.clone(),
            description: record.description.clone(),
            version: record.version,
            builtin: record.builtin_sha256.is_some(),
            servers: self.tables.servers.count(|server| server.template == record.id),
            updated_at: record.updated_at,
        }
    }
}

fn view(summary: TemplateSummary, source: String, parsed: &Template) -> TemplateView {
    let variables = parsed
        .variables
        .iter()
        .map(|variable| VariableView {
            key: variable.key.clone(),
            label: variable.label.clone(),
            help: variable.help.clone(),
            default: variable.default.clone(),
            options: variable.options.clone(),
            pattern: variable.pattern.as_ref().map(|pattern| pattern.source().to_owned()),
            required: variable.required,
            secret: variable.secret,
        })
        .collect();
    let ports = parsed.ports.iter().map(|port| port.name.clone()).collect();
    TemplateView { summary, source, variables, ports, limits: parsed.limits, completions: parsed.completions.clone() }
}

fn unknown(id: TemplateId) -> ControlError {
    ControlError::NotFound { kind: "template", id: id.to_string() }
}

fn taken(slug: &str) -> ControlError {
    ControlError::Exists(format!(
        "There is already a template with the slug “{slug}”. Choose another or change that one."
    ))
}
