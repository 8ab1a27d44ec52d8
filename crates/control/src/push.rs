//! Sends desired state to the nodes: at once when it changes, and again until the node holds it.
//!
//! Every API server pushes what it is asked to change, so that a click takes one hop. Besides, each compares what its
//! linked nodes say they hold with what is wanted, whenever a node comes back and every few seconds: a push that was
//! lost with its API server is made by another. Pushing twice is harmless, because the node counts generations.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nodepanel_types::{
    NodeId, ServerId,
    wire::{ApplyOutcome, ApplyRequest, ApplyResponse, DesiredServer, Remove, WIRE_VERSION, path},
};
use tokio::sync::{Notify, broadcast::error::RecvError};

use crate::{
    ControlPlane,
    nodes::{NodeError, call_json},
    observed::ObservedChange,
    record::{ServerRecord, TemplateVersionId},
    server::desired,
};

/// How long a node may take to write what it is sent to its disk.
const DEADLINE: Duration = Duration::from_secs(2);
/// Servers in one request.
const AT_ONCE: usize = 50;
/// How often everything is compared although nothing seems to have changed.
const FULL_COMPARE: Duration = Duration::from_secs(5);

/// Servers whose desired state shall be sent now.
#[derive(Default)]
pub struct PushQueue {
    waiting: Mutex<BTreeSet<ServerId>>,
    wake: Notify,
}

impl PushQueue {
    /// Sends a server's desired state as soon as possible.
    pub(crate) fn server(&self, server: ServerId) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(server);
        self.wake.notify_one();
    }

    async fn take(&self) -> BTreeSet<ServerId> {
        loop {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            if !waiting.is_empty() {
                return waiting;
            }
            self.wake.notified().await;
        }
    }
}

/// Pushes for ever.
pub async fn push_desired(plane: Arc<ControlPlane>) {
    let compare = tokio::spawn(compare_nodes(Arc::clone(&plane)));
    loop {
        for server in plane.push.take().await {
            let plane = Arc::clone(&plane);
            // Each on its own: a slow node delays nobody else's servers.
            tokio::spawn(async move { plane.push_servers(&[server]).await });
        }
        if compare.is_finished() {
            return;
        }
    }
}

/// Compares what nodes hold with what is wanted, when one comes back and now and then.
async fn compare_nodes(plane: Arc<ControlPlane>) {
    let mut changes = plane.observed.subscribe();
    let mut again = tokio::time::interval(FULL_COMPARE);
    again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let node = tokio::select! {
            change = changes.recv() => match change {
                Ok(ObservedChange::Node(node)) => Some(node),
                Ok(_) => continue,
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => return,
            },
            _ = again.tick() => None,
        };
        let nodes: Vec<NodeId> = match node {
            Some(node) => vec![node],
            None => plane.tables.machines.all().iter().map(|node| node.record.id).collect(),
        };
        for node in nodes {
            let behind = plane.behind(node);
            for part in behind.chunks(AT_ONCE) {
                plane.push_servers(part).await;
            }
        }
    }
}

impl ControlPlane {
    /// The servers of a node of which it holds an older generation, or none, than is wanted. None when the node does not
    /// answer or has not said yet what it holds.
    fn behind(&self, node: NodeId) -> Vec<ServerId> {
        let wanted = self.tables.servers.filter(|server| server.node == node);
        self.observed.with(node, |picture| {
            let Some(picture) = picture.filter(|picture| picture.online() && picture.complete) else {
                return Vec::new();
            };
            wanted
                .iter()
                .filter(|server| {
                    let held = picture.servers.get(&server.record.id).map(|held| held.generation);
                    held.is_none_or(|held| held < server.record.generation)
                })
                .map(|server| server.record.id)
                .collect()
        })
    }

    /// Sends desired states to their nodes. What fails is found again by the comparison.
    async fn push_servers(&self, servers: &[ServerId]) {
        let mut by_node: std::collections::HashMap<NodeId, Vec<DesiredServer>> = std::collections::HashMap::new();
        for id in servers {
            let Some(server) = self.tables.servers.get(id) else { continue };
            if !self.online(server.record.node) {
                continue;
            }
            if server.record.deleting_since.is_some() {
                self.push_removal(&server.record).await;
                continue;
            }
            match self.desired_of(&server.record) {
                Ok(desired) => by_node.entry(server.record.node).or_default().push(desired),
                Err(reason) => tracing::error!(server.id = %id, reason, "a server's desired state cannot be made"),
            }
        }
        for (node, servers) in by_node {
            let request = ApplyRequest { v: WIRE_VERSION, servers };
            let answer: Result<ApplyResponse, NodeError> =
                call_json(&*self.nodes, node, path::APPLY, &request, DEADLINE).await;
            match answer {
                Ok(answer) => answer.servers.iter().for_each(|applied| {
                    if let ApplyOutcome::Refused { reason } = &applied.outcome {
                        tracing::warn!(server.id = %applied.server, link.node = %node, reason, "a node refused a server");
                    }
                }),
                Err(error) => tracing::debug!(link.node = %node, %error, "desired state could not be sent; it will be again"),
            }
        }
    }

    async fn push_removal(&self, server: &ServerRecord) {
        let request = Remove { v: WIRE_VERSION, server: server.id, generation: server.generation };
        let answer: Result<serde_json::Value, NodeError> =
            call_json(&*self.nodes, server.node, path::REMOVE, &request, DEADLINE).await;
        if let Err(error) = answer {
            tracing::debug!(server.id = %server.id, %error, "a removal could not be sent; it will be again");
        }
    }

    fn desired_of(&self, server: &ServerRecord) -> Result<DesiredServer, String> {
        let version = TemplateVersionId { template: server.template, version: server.template_version };
        let template = self.parsed(version).map_err(|error| error.to_string())?;
        desired(server, &template).map_err(|errors| {
            errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>().join("; ")
        })
    }
}
