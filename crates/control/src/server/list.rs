//! Seeing servers.

use nodepanel_types::{
    ServerId,
    api::{Page, ServerView},
    permission::Permission,
};

use crate::{
    Context, ControlError, ControlPlane, ListQuery,
    authorize::{Scope, holds},
};

impl ControlPlane {
    /// The servers that the caller may see, by name.
    pub fn list_servers(&self, context: &Context, query: &ListQuery) -> Result<Page<ServerView>, ControlError> {
        let visible =
            self.tables.servers.filter(|server| holds(&context.actor, Permission::ServerView, Scope::Server(server)));
        let sort = |server: &crate::record::ServerRecord| ListQuery::sort_key(&server.name, server.id);
        Ok(query.page(
            visible,
            |server| sort(&server.record),
            |server| self.view_server(&context.actor, &server.record),
        ))
    }

    /// One server.
    pub fn server(&self, context: &Context, id: ServerId) -> Result<ServerView, ControlError> {
        let server = self.server_record(id)?;
        self.require(&context.actor, Permission::ServerView, Scope::Server(&server.record))?;
        Ok(self.view_server(&context.actor, &server.record))
    }
}
