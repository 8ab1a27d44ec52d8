//! Statistics, read from the server's node, and activity, from this host's journal.

use std::time::Duration;

use nodepanel_types::{
    ServerId,
    permission::Permission,
    stats::{StatsSeries, StatsWindow},
    wire::{ActivityEntry, path},
};

use super::command::node_error;
use crate::{Context, ControlError, ControlPlane, authorize::Scope, nodes::get_json};

/// How long a node may take to look things up on its disk.
const DEADLINE: Duration = Duration::from_secs(3);

impl ControlPlane {
    /// A server's figures over time.
    pub async fn stats(
        &self,
        context: &Context,
        id: ServerId,
        window: StatsWindow,
    ) -> Result<StatsSeries, ControlError> {
        let server = self.server_record(id)?;
        self.require(&context.actor, Permission::ServerView, Scope::Server(&server.record))?;
        let window = match window {
            StatsWindow::Hour => "hour",
            StatsWindow::Week => "week",
        };
        let place = format!("{}?window={window}", path::stats(id));
        get_json(&*self.nodes, server.record.node, &place, DEADLINE).await.map_err(|error| node_error(&error))
    }

    /// What happened to a server, newest first: what this host remembers, also while the node does not answer. A node of
    /// which it remembers nothing is asked, and so is one whose journal cannot be read here.
    pub async fn activity(
        &self,
        context: &Context,
        id: ServerId,
        limit: u32,
    ) -> Result<Vec<ActivityEntry>, ControlError> {
        let server = self.server_record(id)?;
        self.require(&context.actor, Permission::ServerView, Scope::Server(&server.record))?;
        if let Some(journal) = &self.journal
            && let Ok(Some(_)) = journal.position(server.record.node).await
            && let Ok(entries) = journal.of_server(id, limit).await
        {
            return Ok(entries);
        }
        let place = format!("{}?limit={limit}", path::activity(id));
        get_json(&*self.nodes, server.record.node, &place, DEADLINE).await.map_err(|error| node_error(&error))
    }
}
