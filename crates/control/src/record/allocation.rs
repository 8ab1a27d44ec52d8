//! An address and port of a node, given to at most one server.
//!
//! The record's key is the port itself, so that two servers can never hold one: giving it is a compare-and-swap.

use std::{fmt, net::IpAddr, str::FromStr};

use nodepanel_types::{NodeId, ServerId};
use serde::{Deserialize, Serialize};

/// Names a port of a node: `<node>/<address>/<port>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AllocationId {
    /// The node.
    pub node: NodeId,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for AllocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Five digits, so that the store lists ports in their order.
        write!(f, "{}/{}/{:05}", self.node, self.address, self.port)
    }
}

impl FromStr for AllocationId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("“{text}” names no port of a node");
        let mut parts = text.split('/');
        let (Some(node), Some(address), Some(port), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self {
            node: node.parse().map_err(|_| wrong())?,
            address: address.parse().map_err(|_| wrong())?,
            port: port.parse().map_err(|_| wrong())?,
        })
    }
}

/// A port that can be given to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationRecord {
    /// Which port.
    pub id: AllocationId,
    /// The server that has it.
    pub server: Option<ServerId>,
}

super::record!(AllocationRecord, "allocations", AllocationId);
