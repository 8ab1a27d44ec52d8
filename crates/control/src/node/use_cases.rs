//! Seeing, adding, changing and removing nodes.

use nodepanel_backbone::{LinkAddress, enrolment::JoinToken, pki::Secret};
use nodepanel_store::Transaction;
use nodepanel_types::{
    EnrolmentId, NodeId,
    api::{self, CreateNode, NodeView, Page, UpdateNode},
    permission::Permission,
    wire::ActivityEntry,
};

use super::allocations::partly;
use crate::{
    Context, ControlError, ControlPlane, ListQuery,
    account::digest,
    authorize::Scope,
    record::{AllocationRecord, EnrolmentRecord, NameRecord, NameSpace, NodeRecord},
    validate::{Complaints, node_name},
};

/// How long a join token is accepted: 24 hours.
const TOKEN_LASTS_MS: u64 = 24 * 60 * 60 * 1_000;

impl ControlPlane {
    /// The nodes, by name.
    pub fn list_nodes(&self, context: &Context, query: &ListQuery) -> Result<Page<NodeView>, ControlError> {
        self.require(&context.actor, Permission::NodeView, Scope::Installation)?;
        let nodes = self.tables.machines.all();
        Ok(query.page(nodes, |node| node.record.name.clone(), |node| self.view_node(&node.record)))
    }

    /// One node.
    pub fn node(&self, context: &Context, id: NodeId) -> Result<NodeView, ControlError> {
        self.require(&context.actor, Permission::NodeView, Scope::Installation)?;
        let node = self.tables.machines.get(&id).ok_or_else(|| self.missing(unknown(id)))?;
        Ok(self.view_node(&node.record))
    }

    /// What happened on a node, newest first, as this host remembers it.
    pub async fn node_activity(
        &self,
        context: &Context,
        id: NodeId,
        limit: u32,
    ) -> Result<Vec<ActivityEntry>, ControlError> {
        self.require(&context.actor, Permission::NodeView, Scope::Installation)?;
        self.tables.machines.get(&id).ok_or_else(|| self.missing(unknown(id)))?;
        match &self.journal {
            Some(journal) => Ok(journal.of_node(id, limit).await?),
            None => Ok(Vec::new()),
        }
    }

    /// A new node, for a machine that has not joined yet.
    pub async fn create_node(&self, context: &Context, body: CreateNode) -> Result<NodeView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::NodeManage, Scope::Installation)?;
            let mut complaints = Complaints::default();
            let name = complaints.check("name", node_name(&body.name)).unwrap_or_default();
            complaints.finish()?;
            let node =
                NodeRecord { id: NodeId::from_uuid(self.ids.uuid()), name, created_at: self.now(), joined_at: None };
            let transaction = Transaction::new().create(&node)?.create(&self.name_claim(&node))?;
            let view = self.view_node(&node);
            self.commit(context, transaction, view).await.map_err(|error| taken(error, &node.name))
        })
        .await
    }

    /// Changes a node.
    pub async fn update_node(&self, context: &Context, id: NodeId, body: UpdateNode) -> Result<NodeView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::NodeManage, Scope::Installation)?;
            let read = self.tables.machines.fresh(&id).await?.ok_or_else(|| unknown(id))?;
            let mut changed = read.record.clone();
            let mut complaints = Complaints::default();
            if let Some(name) = &body.name
                && let Some(name) = complaints.check("name", node_name(name))
            {
                changed.name = name;
            }
            complaints.finish()?;
            let mut transaction = Transaction::new().update(&changed, read.revision)?;
            let (old, new) = (self.name_claim(&read.record), self.name_claim(&changed));
            if old.id != new.id {
                if let Some(claim) = self.tables.names.fresh(&old.id).await? {
                    transaction = transaction.remove::<NameRecord>(&old.id, claim.revision)?;
                }
                transaction = transaction.create(&new)?;
            }
            let view = self.view_node(&changed);
            self.commit(context, transaction, view).await.map_err(|error| taken(error, &changed.name))
        })
        .await
    }

    /// Removes a node without servers; its agent is no longer let in.
    pub async fn delete_node(&self, context: &Context, id: NodeId) -> Result<(), ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::NodeManage, Scope::Installation)?;
            let read = self.tables.machines.fresh(&id).await?.ok_or_else(|| unknown(id))?;
            let servers = self.tables.servers.count(|server| server.node == id);
            if servers > 0 {
                return Err(ControlError::InUse(format!(
                    "{servers} server(s) are on {}. Delete them first; their files are only there.",
                    read.record.name
                )));
            }
            // Ports go first, in transactions that the store can take; a node without ports gets no new server
            // meanwhile.
            let ports = self.tables.allocations.filter(|allocation| allocation.id.node == id);
            for part in ports.chunks(100) {
                let mut transaction = Transaction::new();
                for port in part {
                    transaction = transaction.remove::<AllocationRecord>(&port.record.id, port.revision)?;
                }
                self.commit(&Context { key: None, ..context.clone() }, transaction, ()).await.map_err(partly)?;
            }
            let mut transaction = Transaction::new().remove::<NodeRecord>(&id, read.revision)?;
            let name = self.name_claim(&read.record).id;
            if let Some(claim) = self.tables.names.fresh(&name).await? {
                transaction = transaction.remove::<NameRecord>(&name, claim.revision)?;
            }
            self.commit(context, transaction, ()).await?;
            self.nodes.dismiss(id, "this node was removed from the panel");
            self.observed.forget(id);
            Ok(())
        })
        .await
    }

    /// A one-time permission for a machine to become this node.
    pub async fn join_token(&self, context: &Context, id: NodeId) -> Result<api::JoinToken, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::NodeManage, Scope::Installation)?;
            self.tables.machines.get(&id).ok_or_else(|| self.missing(unknown(id)))?;
            let mut secret = [0; 32];
            self.ids.fill(&mut secret);
            let secret = hex::encode(secret);
            let record = EnrolmentRecord {
                id: EnrolmentId::from_uuid(self.ids.uuid()),
                node: id,
                secret_sha256: digest(&secret),
                expires_at: self.now().plus(TOKEN_LASTS_MS),
                used: None,
            };
            let transaction = Transaction::new().create(&record)?.require::<NodeRecord>(&id)?;
            let token = self.encode_join_token(record.id, secret)?;
            let answer = api::JoinToken { token: token.expose().to_owned(), expires_at: record.expires_at };
            self.commit(context, transaction, answer).await
        })
        .await
    }

    /// The text of a join token for the API servers' own addresses.
    pub(crate) fn encode_join_token(&self, enrolment: EnrolmentId, secret: String) -> Result<Secret, ControlError> {
        let addresses: Vec<LinkAddress> = self.link_addresses.clone();
        if addresses.is_empty() {
            return Err(ControlError::StateForbids(
                "This API server does not know under which address agents reach it; set `link.advertise`.".to_owned(),
            ));
        }
        let token = JoinToken {
            addresses,
            ca_fingerprint: self.authority.fingerprint(),
            enrolment,
            secret: Secret::new(secret),
        };
        Ok(token.encode())
    }

    pub(crate) fn name_claim(&self, node: &NodeRecord) -> NameRecord {
        NameRecord { id: NameRecord::key(NameSpace::Node, &node.name), bearer: *node.id.as_uuid(), since: self.now() }
    }
}

pub(super) fn unknown(id: NodeId) -> ControlError {
    ControlError::NotFound { kind: "node", id: id.to_string() }
}

fn taken(error: ControlError, name: &str) -> ControlError {
    match error {
        ControlError::Changed(_) => ControlError::Exists(format!("There is already a node with the name {name}.")),
        other => other,
    }
}
