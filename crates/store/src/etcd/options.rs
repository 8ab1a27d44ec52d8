//! Where and how an etcd cluster is reached.

use std::fmt;

use zeroize::Zeroizing;

/// Where and how an etcd cluster is reached.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    /// The members' addresses for clients, such as `https://10.0.0.1:7313`; at least one of them.
    pub endpoints: Vec<String>,
    /// Who we are and whom we trust; `None` for an unencrypted connection, which is for tests.
    pub tls: Option<EtcdTls>,
    /// Names this process among all that ever write: no two have the same. It is part of a key, so letters, digits and
    /// hyphens are best.
    pub writer: String,
}

impl EtcdOptions {
    /// Unencrypted connections to `endpoints`.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>, writer: impl Into<String>) -> Self {
        Self { endpoints: endpoints.into_iter().map(Into::into).collect(), tls: None, writer: writer.into() }
    }
}

/// Mutual TLS with the members.
#[derive(Clone)]
pub struct EtcdTls {
    /// The authority that issued the members' certificates, in PEM.
    pub ca: String,
    /// Our certificate, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: Zeroizing<String>,
    /// The name in the members' certificates, whatever their addresses are.
    pub server_name: String,
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}
