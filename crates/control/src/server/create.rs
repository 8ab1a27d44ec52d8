//! Making a server.

use std::{collections::BTreeSet, time::Duration};

use nodepanel_store::Transaction;
use nodepanel_types::{
    NodeId, ServerId, UserId,
    api::{CreateServer, ServerView},
    permission::Permission,
    state::{PowerAction, PowerIntent},
    template::Template,
    wire::{Endpoint, PortCheckRequest, PortCheckResponse, PortUse, WIRE_VERSION, path},
};

use super::{desired::desired, ports::Given};
use crate::{
    Context, ControlError, ControlPlane,
    authorize::Scope,
    nodes::call_json,
    observed::NodePicture,
    record::{AllocationRecord, NodeRecord, ServerRecord, TemplateVersionId, UserRecord},
    validate::{Complaints, display_name, limits},
};

/// Ports are chosen anew when somebody else took one at the same moment.
const ATTEMPTS: u32 = 8;
/// How long the node may take to say whether the ports are free on it. No answer is no objection.
const PORT_CHECK: Duration = Duration::from_millis(500);

impl ControlPlane {
    /// Makes a server. Its installation begins as soon as its node knows of it.
    pub async fn create_server(&self, context: &Context, body: CreateServer) -> Result<ServerView, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::ServerCreate, Scope::Installation)?;
            for _ in 0..ATTEMPTS {
                match self.try_create(context, &body).await {
                    Err(ControlError::Changed(_)) => {}
                    outcome => return outcome,
                }
                // What made the commit fail must be seen before ports are chosen again.
                let revision = self.store.revision().await?;
                self.see(revision).await;
            }
            Err(ControlError::contended("Others take the free ports at this very moment; nothing was made."))
        })
        .await
    }

    async fn try_create(&self, context: &Context, body: &CreateServer) -> Result<ServerView, ControlError> {
        let mut complaints = Complaints::default();
        let name = complaints.check("name", display_name(&body.name)).unwrap_or_default();
        if let Some(wanted) = &body.limits {
            limits(&mut complaints, wanted);
        }
        let owner = self.owner_of_new(context, body, &mut complaints);
        let template = self.tables.templates.get(&body.template);
        if template.is_none() {
            complaints.add("template", format!("there is no template {}.", body.template));
        }
        let node = match body.node {
            Some(node) if self.tables.machines.get(&node).is_none() => {
                complaints.add("node", format!("there is no node {node}."));
                None
            }
            Some(node) => Some(node),
            None => complaints.check("node", self.best_node()),
        };
        let (Some(template), Some(node)) = (template, node) else {
            complaints.finish()?;
            return Err(ControlError::Internal("a missing template or node was not complained about".to_owned()));
        };
        let version = TemplateVersionId { template: body.template, version: template.record.version };
        let parsed = self.parsed(version)?;
        let variables = match parsed.check_variables(&body.variables) {
            Ok(variables) => variables,
            Err(errors) => {
                complaints.extend(errors);
                body.variables.clone()
            }
        };
        complaints.finish()?;
        let given = self.free_ports(node, &parsed, body).await?;
        let endpoints: Vec<Endpoint> = given.iter().map(|given| given.endpoint.clone()).collect();
        let action = if body.start { PowerAction::Start } else { PowerAction::Stop };
        let server = ServerRecord {
            id: ServerId::from_uuid(self.ids.uuid()),
            name,
            owner,
            node,
            template: body.template,
            template_version: version.version,
            variables,
            limits: body.limits.unwrap_or(parsed.limits),
            endpoints,
            crash: parsed.crash,
            power: PowerIntent { action, serial: u64::from(body.start) },
            install_serial: 1,
            generation: 1,
            created_at: self.now(),
            deleting_since: None,
        };
        desired(&server, &parsed).map_err(ControlError::Invalid)?;
        let mut transaction =
            Transaction::new().create(&server)?.require::<UserRecord>(&owner)?.require::<NodeRecord>(&node)?;
        for given in &given {
            let record = AllocationRecord { id: given.allocation.record.id.clone(), server: Some(server.id) };
            transaction = transaction.update(&record, given.allocation.revision)?;
        }
        let view = self.view_server(&context.actor, &server);
        let view = self.commit(context, transaction, view).await?;
        self.push.server(view.id);
        Ok(view)
    }

    fn owner_of_new(&self, context: &Context, body: &CreateServer, complaints: &mut Complaints) -> UserId {
        let nobody = UserId::from_uuid(nodepanel_types::clock::NIL);
        match body.owner.or_else(|| context.actor.user()) {
            Some(owner) if self.tables.users.get(&owner).is_some() => owner,
            Some(owner) => {
                complaints.add("owner", format!("there is no user {owner}."));
                nobody
            }
            // The host's operator acts for the installation's first administrator.
            None => self
                .tables
                .installation
                .get(&nodepanel_types::clock::NIL)
                .and_then(|installation| installation.record.first_administrator)
                .unwrap_or_else(|| {
                    complaints.add("owner", "name the user whose server it shall be.");
                    nobody
                }),
        }
    }

    /// The node with the most free memory among those that answer and have a free port.
    fn best_node(&self) -> Result<NodeId, String> {
        let with_ports: Vec<NodeId> = self
            .tables
            .machines
            .all()
            .iter()
            .map(|node| node.record.id)
            .filter(|node| self.tables.allocations.count(|port| port.id.node == *node && port.server.is_none()) > 0)
            .collect();
        let best = self.observed.with_all(|pictures| {
            let free = |picture: &NodePicture| {
                picture.usage.map_or(0, |usage| usage.memory_total_bytes.saturating_sub(usage.memory_used_bytes))
            };
            with_ports
                .iter()
                .filter_map(|node| {
                    pictures.get(node).filter(|picture| picture.online()).map(|picture| (free(picture), *node))
                })
                .max()
                .map(|(_, node)| node)
        });
        // A silent node is better than none: the server is installed when it is back.
        best.or_else(|| with_ports.first().copied())
            .ok_or_else(|| "no node has a free port. Add a node, or ports to one, first.".to_owned())
    }

    /// Ports that the template needs and that nothing else on the node holds. What the caller asked for must be free;
    /// what is chosen here is chosen again when some other program has it.
    async fn free_ports(
        &self,
        node: NodeId,
        template: &Template,
        body: &CreateServer,
    ) -> Result<Vec<Given>, ControlError> {
        let mut avoid = BTreeSet::new();
        loop {
            let given = self.give_ports(node, template, &body.ports, body.address.as_deref(), &avoid)?;
            let endpoints = given.iter().map(|given| given.endpoint.clone()).collect();
            let taken = self.taken_on_node(node, endpoints).await;
            let mut complaints = Complaints::default();
            for used in taken.iter().filter(|used| body.ports.contains_key(&used.endpoint.name)) {
                let Endpoint { name, address, port, .. } = &used.endpoint;
                complaints.add(format!("ports.{name}"), format!("{port} on {address} cannot be used: {}", used.reason));
            }
            complaints.finish()?;
            if taken.is_empty() {
                return Ok(given);
            }
            avoid.extend(taken.into_iter().map(|used| used.endpoint.port));
        }
    }

    /// Which of these something else on the node holds. A node that does not answer objects to nothing.
    async fn taken_on_node(&self, node: NodeId, endpoints: Vec<Endpoint>) -> Vec<PortUse> {
        if !self.online(node) {
            return Vec::new();
        }
        let request = PortCheckRequest { v: WIRE_VERSION, endpoints };
        let answer: Result<PortCheckResponse, _> =
            call_json(&*self.nodes, node, path::PORTS_CHECK, &request, PORT_CHECK).await;
        answer.map(|answer| answer.taken).unwrap_or_default()
    }
}
