//! Certificates of nodes are renewed over their links, long before they expire.
//!
//! Every API server may do it; when two do it at once the agent keeps one of the two certificates, both good.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use nodepanel_types::wire::path;

use crate::{
    LinkError, body,
    link::exchange,
    pki::{CertificateAuthority, CertificateFacts, PkiError},
    registry::Connection,
};

/// Making a key and writing it to disk may take a moment on a small machine.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewalError {
    #[error("the node could not be asked")]
    Link(#[from] LinkError),
    #[error("the node refused with status {0}")]
    Refused(http::StatusCode),
    #[error("the new certificate could not be made")]
    Pki(#[from] PkiError),
}

/// Renews the certificate of the node at the other end, if a third or less of its life is left. Returns whether it
/// was renewed.
pub(crate) async fn renew_if_due(
    connection: &Arc<Connection>,
    certificate: &CertificateFacts,
    authority: &Arc<CertificateAuthority>,
    now: nodepanel_types::Timestamp,
) -> Result<bool, RenewalError> {
    if !certificate.renewal_due(now) {
        return Ok(false);
    }
    let csr = post(connection, path::IDENTITY_CSR, Bytes::new()).await?;
    let node = connection.facts().node;
    let renewed = authority.issue_node(node, &String::from_utf8_lossy(&csr))?;
    post(connection, path::IDENTITY_CERTIFICATE, renewed.into()).await?;
    Ok(true)
}

async fn post(connection: &Arc<Connection>, path: &'static str, content: Bytes) -> Result<Bytes, RenewalError> {
    let mut request = Request::new(body::full(content));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(path);
    let response = exchange(connection, request, DEADLINE).await?;
    if response.status().is_success() {
        Ok(response.into_body())
    } else {
        Err(RenewalError::Refused(response.status()))
    }
}
