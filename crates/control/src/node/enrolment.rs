//! How a machine becomes a node, and which nodes may link.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use nodepanel_backbone::{
    LinkAddress,
    enrolment::{EnrolRefusal, EnrolmentAuthority},
    pki::{CertificateAuthority, CertificateFacts, request_key},
    wire::{EnrolReply, EnrolRequest},
};
use nodepanel_store::Transaction;
use nodepanel_types::NodeId;
use subtle::ConstantTimeEq as _;

use crate::{
    ControlError, ControlPlane,
    account::digest,
    record::{EnrolmentRecord, EnrolmentUse, NodeRecord},
};

/// Clocks that are further apart than this make certificates useless: one day.
const SKEW_MS: u64 = 24 * 60 * 60 * 1_000;

/// Decides about enrolments with what the store holds.
pub struct Enrolments {
    plane: Arc<ControlPlane>,
    authority: Arc<CertificateAuthority>,
    addresses: Vec<LinkAddress>,
}

impl Enrolments {
    /// Enrolments of `plane`; new nodes are told to dial `addresses`.
    pub fn new(plane: Arc<ControlPlane>) -> Self {
        Self { authority: Arc::clone(&plane.authority), addresses: plane.link_addresses.clone(), plane }
    }

    async fn decide(&self, request: &EnrolRequest) -> Result<NodeId, EnrolRefusal> {
        let plane = &self.plane;
        let now = plane.now();
        if now.since(request.now).max(request.now.since(now)) > SKEW_MS {
            return Err(EnrolRefusal::ClockSkew { here: request.now, there: now });
        }
        let key = request_key(&request.csr).map_err(|error| EnrolRefusal::Malformed { why: error.to_string() })?;
        let read = plane.tables.enrolments.fresh(&request.enrolment).await.map_err(|error| unavailable(&error))?;
        let read = read.ok_or(EnrolRefusal::Unknown)?;
        let genuine: bool =
            digest(request.secret.expose()).as_bytes().ct_eq(read.record.secret_sha256.as_bytes()).into();
        if !genuine {
            return Err(EnrolRefusal::Unknown);
        }
        match &read.record.used {
            // The first answer was lost on its way.
            Some(used) if used.request_key == key => return Ok(read.record.node),
            Some(used) => return Err(EnrolRefusal::Used { at: used.at }),
            None if now >= read.record.expires_at => return Err(EnrolRefusal::Expired { at: read.record.expires_at }),
            None => {}
        }
        let node = plane.tables.machines.fresh(&read.record.node).await.map_err(|error| unavailable(&error))?;
        let node = node.ok_or(EnrolRefusal::Unknown)?;
        let used = EnrolmentRecord { used: Some(EnrolmentUse { at: now, request_key: key }), ..read.record.clone() };
        let joined = NodeRecord { joined_at: Some(now), ..node.record.clone() };
        let transaction = Transaction::new()
            .update(&used, read.revision)
            .and_then(|transaction| transaction.update(&joined, node.revision))
            .map_err(|error| unavailable(&error))?;
        let committed = plane.store.commit(transaction).await.map_err(|error| unavailable(&error))?;
        plane.see(committed.revision).await;
        Ok(joined.id)
    }
}

#[async_trait]
impl EnrolmentAuthority for Enrolments {
    async fn enrol(&self, request: EnrolRequest, peer: SocketAddr) -> Result<EnrolReply, EnrolRefusal> {
        let node = self.decide(&request).await?;
        let certificate = self
            .authority
            .issue_node(node, &request.csr)
            .map_err(|error| EnrolRefusal::Malformed { why: error.to_string() })?;
        tracing::info!(link.node = %node, link.peer = %peer, "A machine has become a node.");
        Ok(EnrolReply {
            node,
            certificate,
            ca: self.authority.certificate_pem().to_owned(),
            addresses: self.addresses.clone(),
        })
    }

    fn admit(&self, node: NodeId, _: &CertificateFacts) -> Result<(), String> {
        match self.plane.tables.machines.get(&node) {
            Some(_) => Ok(()),
            // "I cannot ask" is never "you may not": before the first reading of the store, nobody is turned away.
            None if self.plane.tables.freshness().revision.is_none() => Ok(()),
            None => {
                Err("this node was removed from the panel; remove the agent, or join again with a new token".to_owned())
            }
        }
    }
}

fn unavailable(error: &dyn std::error::Error) -> EnrolRefusal {
    EnrolRefusal::Unavailable { why: error.to_string() }
}

impl From<EnrolRefusal> for ControlError {
    fn from(refusal: EnrolRefusal) -> Self {
        Self::StateForbids(refusal.to_string())
    }
}
