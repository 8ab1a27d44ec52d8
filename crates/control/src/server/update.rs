//! Changing a server's settings.

use nodepanel_store::Transaction;
use nodepanel_types::{
    ServerId,
    api::{ServerView, UpdateServer},
    permission::Permission,
    template::Template,
};

use super::desired::desired;
use crate::{
    Context, ControlError, ControlPlane,
    authorize::Scope,
    record::{ServerRecord, TemplateVersionId, UserRecord},
    validate::{Complaints, crash_policy, display_name, limits},
};

impl ControlPlane {
    /// Changes what is given; what is left out stays.
    pub async fn update_server(
        &self,
        context: &Context,
        id: ServerId,
        body: UpdateServer,
    ) -> Result<ServerView, ControlError> {
        self.once(context, async {
            if body.limits.is_some() || body.owner.is_some() {
                let server = self.server_record(id)?;
                self.require(&context.actor, Permission::ServerLimits, Scope::Server(&server.record))?;
            }
            self.change_server(context, id, Permission::ServerSettings, |server, transaction| {
                self.apply(&body, server, transaction)
            })
            .await
        })
        .await
    }

    fn apply(
        &self,
        body: &UpdateServer,
        server: &mut ServerRecord,
        mut transaction: Transaction,
    ) -> Result<Transaction, ControlError> {
        if server.deleting_since.is_some() {
            return Err(ControlError::StateForbids("The server is being deleted.".to_owned()));
        }
        if let Some(expected) = body.generation
            && expected != server.generation
        {
            return Err(ControlError::Changed(
                "The server was changed since you looked at it. Look again, and repeat your change if it is still right."
                    .to_owned(),
            ));
        }
        let before = server.clone();
        let mut complaints = Complaints::default();
        if let Some(name) = &body.name
            && let Some(name) = complaints.check("name", display_name(name))
        {
            server.name = name;
        }
        if let Some(new) = &body.limits {
            limits(&mut complaints, new);
            server.limits = *new;
        }
        if let Some(policy) = &body.crash {
            crash_policy(&mut complaints, policy);
            server.crash = *policy;
        }
        if body.upgrade_template
            && let Some(template) = self.tables.templates.get(&server.template)
        {
            server.template_version = template.record.version;
        }
        if let Some(owner) = &body.owner {
            match self.tables.users.get(owner) {
                Some(user) => {
                    server.owner = *owner;
                    transaction = transaction.require::<UserRecord>(&user.record.id)?;
                }
                None => complaints.add("owner", format!("there is no user {owner}.")),
            }
        }
        let template =
            self.parsed(TemplateVersionId { template: server.template, version: server.template_version })?;
        if body.variables.is_some() || body.upgrade_template {
            let mut variables = server.variables.clone();
            // A newer version may have dropped variables; what is typed now must exist.
            variables.retain(|key, _| template.variables.iter().any(|variable| variable.key == *key));
            variables.extend(body.variables.clone().unwrap_or_default());
            match template.check_variables(&variables) {
                Ok(checked) => server.variables = checked,
                Err(errors) => complaints.extend(errors),
            }
        }
        complaints.finish()?;
        if !fills_alike(&before, server, &template) {
            desired(server, &template).map_err(ControlError::Invalid)?;
        }
        Ok(transaction)
    }
}

/// Whether the template comes out the same for both: then a server that could be rendered before still can be.
fn fills_alike(before: &ServerRecord, after: &ServerRecord, template: &Template) -> bool {
    before.template_version == after.template_version
        && before.limits == after.limits
        && before.endpoints == after.endpoints
        && before.variables == after.variables
        && (before.name == after.name || !template.names_server())
}
