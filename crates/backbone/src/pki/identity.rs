//! Who one end of a link is: a certificate, its key and the CA that both ends trust.

use std::fmt;

use nodepanel_types::{NodeId, Timestamp};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use super::{CertificateFacts, PkiError, Secret};
use crate::LinkAddress;

const STORED_FORM: u32 = 1;

/// A node's identity as its agent keeps it on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredIdentity {
    /// The form of this record.
    pub v: u32,
    /// Which node this is.
    pub node: NodeId,
    /// The node's certificate, PEM.
    pub certificate: String,
    /// The node's private key, PEM.
    pub key: Secret,
    /// The CA's certificate, PEM.
    pub ca: String,
    /// Where the API servers accept links.
    pub addresses: Vec<LinkAddress>,
}

impl StoredIdentity {
    /// The record in its present form.
    pub fn new(node: NodeId, certificate: String, key: Secret, ca: String, addresses: Vec<LinkAddress>) -> Self {
        Self { v: STORED_FORM, node, certificate, key, ca, addresses }
    }
}

/// A node's identity, checked: the key fits the certificate and the certificate names the node.
pub struct Identity {
    stored: StoredIdentity,
    facts: CertificateFacts,
    chain: Vec<CertificateDer<'static>>,
    ca: CertificateDer<'static>,
}

impl Identity {
    /// Checks what was stored or received.
    pub fn new(stored: StoredIdentity) -> Result<Self, PkiError> {
        if stored.v != STORED_FORM {
            return Err(PkiError::Newer { what: "the node's identity", found: stored.v, known: STORED_FORM });
        }
        let unreadable = |what, why: String| PkiError::Unreadable { what, why };
        let certificate = CertificateDer::from_pem_slice(stored.certificate.as_bytes())
            .map_err(|error| unreadable("the node's certificate", error.to_string()))?;
        let ca = CertificateDer::from_pem_slice(stored.ca.as_bytes())
            .map_err(|error| unreadable("the certificate authority's certificate", error.to_string()))?;
        let facts = CertificateFacts::read(&certificate)?;
        if facts.node()? != stored.node {
            return Err(unreadable("the node's identity", "the certificate names another node".to_owned()));
        }
        let identity = Self { stored, facts, chain: vec![certificate], ca };
        let key =
            rustls::crypto::ring::sign::any_supported_type(&identity.private_key()?).map_err(PkiError::Unusable)?;
        rustls::sign::CertifiedKey::new(identity.chain.clone(), key).keys_match().map_err(PkiError::Unusable)?;
        Ok(identity)
    }

    /// Which node this is.
    pub fn node(&self) -> NodeId {
        self.stored.node
    }

    /// The certificate's serial number and time.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// What is written to disk.
    pub fn stored(&self) -> &StoredIdentity {
        &self.stored
    }

    /// Whether it is time for a new certificate.
    pub fn renewal_due(&self, now: Timestamp) -> bool {
        self.facts.renewal_due(now)
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn ca(&self) -> &CertificateDer<'static> {
        &self.ca
    }

    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>, PkiError> {
        PrivateKeyDer::from_pem_slice(self.stored.key.expose().as_bytes())
            .map_err(|error| PkiError::Unreadable { what: "the node's private key", why: error.to_string() })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("node", &self.stored.node)
            .field("serial", &self.facts.serial)
            .field("not_after", &self.facts.not_after)
            .finish_non_exhaustive()
    }
}

/// An API server's identity. Lives in memory only: each start makes a new one.
pub struct ServerIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ca: CertificateDer<'static>,
    facts: CertificateFacts,
}

impl ServerIdentity {
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        ca: CertificateDer<'static>,
    ) -> Result<Self, PkiError> {
        let leaf = chain.first().ok_or_else(|| PkiError::Unreadable {
            what: "the API server's certificate",
            why: "there is none".to_owned(),
        })?;
        let facts = CertificateFacts::read(leaf)?;
        Ok(Self { chain, key, ca, facts })
    }

    /// The certificate's serial number and time.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }

    pub(crate) fn ca(&self) -> &CertificateDer<'static> {
        &self.ca
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("facts", &self.facts).finish_non_exhaustive()
    }
}
