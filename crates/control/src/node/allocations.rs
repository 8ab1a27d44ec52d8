//! The ports of a node.

use std::net::IpAddr;

use nodepanel_store::Transaction;
use nodepanel_types::{
    NodeId,
    api::{AllocationView, CreateAllocations, Page},
    permission::Permission,
};

use super::use_cases::unknown;
use crate::{
    Context, ControlError, ControlPlane, ListQuery,
    authorize::Scope,
    record::{AllocationId, AllocationRecord, NodeRecord},
    validate::{Complaints, port_ranges},
};

/// Ports that are written in one transaction.
const AT_ONCE: usize = 100;

impl ControlPlane {
    /// The ports of a node, by address and number.
    pub fn list_allocations(
        &self,
        context: &Context,
        node: NodeId,
        query: &ListQuery,
    ) -> Result<Page<AllocationView>, ControlError> {
        self.require(&context.actor, Permission::NodeView, Scope::Installation)?;
        self.tables.machines.get(&node).ok_or_else(|| self.missing(unknown(node)))?;
        let ports = self.tables.allocations.filter(|allocation| allocation.id.node == node);
        Ok(query.page(ports, |port| port.record.id.to_string(), |port| view(&port.record)))
    }

    /// Adds ports; those that are there already stay as they are.
    pub async fn add_allocations(
        &self,
        context: &Context,
        node: NodeId,
        body: CreateAllocations,
    ) -> Result<Page<AllocationView>, ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::NodeManage, Scope::Installation)?;
            self.tables.machines.get(&node).ok_or_else(|| self.missing(unknown(node)))?;
            let new: Vec<AllocationRecord> = wanted(node, &body)?
                .into_iter()
                .filter(|id| self.tables.allocations.get(id).is_none())
                .map(|id| AllocationRecord { id, server: None })
                .collect();
            let answer =
                Page { total: new.len() as u64, items: new.iter().take(1_000).map(view).collect(), next: None };
            // All but the last part are committed without the key: a repetition finds them there and adds the rest.
            let mut parts: Vec<&[AllocationRecord]> = new.chunks(AT_ONCE).collect();
            let last = parts.pop().unwrap_or_default();
            let unkeyed = Context { key: None, ..context.clone() };
            for part in parts {
                self.commit(&unkeyed, created(node, part)?, ()).await.map_err(partly)?;
            }
            self.commit(context, created(node, last)?, answer).await.map_err(partly)
        })
        .await
    }

    /// Takes ports away; none when a server has one of them.
    pub async fn remove_allocations(
        &self,
        context: &Context,
        node: NodeId,
        body: CreateAllocations,
    ) -> Result<(), ControlError> {
        self.once(context, async {
            self.require(&context.actor, Permission::NodeManage, Scope::Installation)?;
            self.tables.machines.get(&node).ok_or_else(|| self.missing(unknown(node)))?;
            let ports: Vec<_> = wanted(node, &body)?.iter().filter_map(|id| self.tables.allocations.get(id)).collect();
            let used: Vec<String> = ports
                .iter()
                .filter(|port| port.record.server.is_some())
                .map(|port| port.record.id.port.to_string())
                .collect();
            if !used.is_empty() {
                let some = used.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
                return Err(ControlError::InUse(format!(
                    "{} of these ports belong to servers ({some}{}). Nothing was removed.",
                    used.len(),
                    if used.len() > 5 { ", …" } else { "" }
                )));
            }
            let unkeyed = Context { key: None, ..context.clone() };
            for part in ports.chunks(AT_ONCE) {
                let mut transaction = Transaction::new();
                for port in part {
                    transaction = transaction.remove::<AllocationRecord>(&port.record.id, port.revision)?;
                }
                self.commit(&unkeyed, transaction, ()).await.map_err(partly)?;
            }
            Ok(())
        })
        .await
    }
}

/// A conflict where a part may be done already is no verdict: whoever repeats it gets the rest done.
pub(super) fn partly(error: ControlError) -> ControlError {
    match error {
        ControlError::Changed(_) => ControlError::contended(
            "Somebody else changes the ports of this node at this very moment, and a part of yours may be done.",
        ),
        other => other,
    }
}

fn wanted(node: NodeId, body: &CreateAllocations) -> Result<Vec<AllocationId>, ControlError> {
    let mut complaints = Complaints::default();
    let address = complaints.check(
        "address",
        body.address
            .trim()
            .parse::<IpAddr>()
            .map_err(|_| "must be an IPv4 or IPv6 address of the node, for example 192.0.2.7.".to_owned()),
    );
    let ports = complaints.check("ports", port_ranges(&body.ports));
    complaints.finish()?;
    let (Some(address), Some(ports)) = (address, ports) else { return Ok(Vec::new()) };
    Ok(ports.into_iter().map(|port| AllocationId { node, address, port }).collect())
}

fn created(node: NodeId, part: &[AllocationRecord]) -> Result<Transaction, ControlError> {
    let mut transaction = Transaction::new().require::<NodeRecord>(&node)?;
    for record in part {
        transaction = transaction.create(record)?;
    }
    Ok(transaction)
}

fn view(allocation: &AllocationRecord) -> AllocationView {
    AllocationView { address: allocation.id.address.to_string(), port: allocation.id.port, server: allocation.server }
}
