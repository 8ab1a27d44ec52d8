//! Giving ports to a new server.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use nodepanel_store::Stored;
use nodepanel_types::{
    NodeId,
    template::{Port, Template},
    wire::Endpoint,
};

use crate::{
    ControlError, ControlPlane,
    record::{AllocationId, AllocationRecord},
    validate::Complaints,
};

/// A port and the free allocation that it comes from.
pub(super) struct Given {
    pub(super) endpoint: Endpoint,
    pub(super) allocation: Arc<Stored<AllocationRecord>>,
}

impl ControlPlane {
    /// A port for each that the template names: the asked-for one, else the template's proposal when it is free, else
    /// the first free one. None of `avoid` is given unless it was asked for.
    pub(super) fn give_ports(
        &self,
        node: NodeId,
        template: &Template,
        asked: &BTreeMap<String, u16>,
        address: Option<&str>,
        avoid: &BTreeSet<u16>,
    ) -> Result<Vec<Given>, ControlError> {
        let mut complaints = Complaints::default();
        for name in asked.keys().filter(|name| !template.ports.iter().any(|port| port.name == **name)) {
            let known: Vec<&str> = template.ports.iter().map(|port| port.name.as_str()).collect();
            complaints
                .add(format!("ports.{name}"), format!("the template has no such port; it has {}.", known.join(", ")));
        }
        let address = match address.map(str::parse::<IpAddr>) {
            Some(Err(_)) => {
                complaints.add("address", "must be an IPv4 or IPv6 address of the node.");
                None
            }
            Some(Ok(address)) => Some(address),
            None => None,
        };
        let on_node = self.tables.allocations.filter(|allocation| allocation.id.node == node);
        // All ports of a server are on one address, so that players need to know only one.
        let address = address.or_else(|| {
            on_node.iter().find(|allocation| allocation.record.server.is_none()).map(|free| free.record.id.address)
        });
        let Some(address) = address else {
            complaints.add("node", "has no free port. An administrator adds ports on the node's page.");
            return Err(complaints.finish().err().unwrap_or_else(|| ControlError::Internal("no complaint".to_owned())));
        };
        let mut given: Vec<Given> = Vec::with_capacity(template.ports.len());
        for port in &template.ports {
            let asked_for = asked.get(&port.name).copied();
            let mut taken: BTreeSet<u16> = given.iter().map(|given| given.endpoint.port).collect();
            taken.extend(avoid.iter().filter(|port| Some(**port) != asked_for));
            match choose(&on_node, node, address, port, asked_for, &taken) {
                Ok(allocation) => given.push(Given {
                    endpoint: Endpoint {
                        name: port.name.clone(),
                        address,
                        port: allocation.record.id.port,
                        protocol: port.protocol,
                    },
                    allocation,
                }),
                Err(message) => complaints.add(format!("ports.{}", port.name), message),
            }
        }
        complaints.finish()?;
        Ok(given)
    }
}

fn choose(
    on_node: &[Arc<Stored<AllocationRecord>>],
    node: NodeId,
    address: IpAddr,
    wanted: &Port,
    asked: Option<u16>,
    taken: &BTreeSet<u16>,
) -> Result<Arc<Stored<AllocationRecord>>, String> {
    let free = |port: u16| {
        let id = AllocationId { node, address, port };
        on_node
            .iter()
            .find(|allocation| allocation.record.id == id)
            .filter(|allocation| allocation.record.server.is_none() && !taken.contains(&port))
    };
    if let Some(port) = asked {
        if port < 1_024 {
            return Err(format!("{port} is out of range; use a port of the node between 1024 and 65535."));
        }
        return free(port).cloned().ok_or_else(|| {
            format!("{port} on {address} is given to another server or does not belong to the node; leave it out to get a free one.")
        });
    }
    if let Some(allocation) = wanted.default.and_then(free) {
        return Ok(Arc::clone(allocation));
    }
    on_node
        .iter()
        .find(|allocation| {
            let record = &allocation.record;
            record.id.address == address && record.server.is_none() && !taken.contains(&record.id.port)
        })
        .cloned()
        .ok_or_else(|| format!("no free port is left on {address}; an administrator adds ports on the node's page."))
}
