//! TLS for the links: version 1.3, the installation's own CA, one ALPN name per purpose of a connection.
//!
//! Sessions are not resumed, so every connection shows its certificate and a removed node is out at once.

use std::{fmt, sync::Arc};

use nodepanel_types::clock::Clock;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    time_provider::TimeProvider,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::pki::{Identity, PkiError, SERVER_NAME, ServerIdentity};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Requests, streams and presence.
    Control,
    /// Large transfers, which must not delay the others.
    Bulk,
    /// One enrolment, without a client certificate.
    Enrol,
}

impl Purpose {
    pub(crate) const LINKS: [Self; 2] = [Self::Control, Self::Bulk];

    pub(crate) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Control => b"nodepanel-control/1",
            Self::Bulk => b"nodepanel-bulk/1",
            Self::Enrol => b"nodepanel-enrol/1",
        }
    }

    pub(crate) fn from_alpn(name: &[u8]) -> Option<Self> {
        [Self::Control, Self::Bulk, Self::Enrol].into_iter().find(|purpose| purpose.alpn() == name)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Bulk => "bulk",
            Self::Enrol => "enrol",
        }
    }
}

/// The clock of the process, as rustls asks for it.
struct TlsClock(Arc<dyn Clock>);

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now().as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_millis(millis)))
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn roots(ca: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, PkiError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(PkiError::Unusable)?;
    Ok(Arc::new(roots))
}

/// The name that every API server's certificate bears.
pub(crate) fn server_name() -> ServerName<'static> {
    // The constant is a DNS name; a test holds it to that.
    ServerName::try_from(SERVER_NAME).unwrap_or(ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()))
}

pub(crate) fn client_builder(
    clock: Arc<dyn Clock>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, PkiError> {
    ClientConfig::builder_with_details(provider(), Arc::new(TlsClock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(PkiError::Unusable)
}

/// What an agent dials with.
pub(crate) fn link_client(
    identity: &Identity,
    purpose: Purpose,
    clock: Arc<dyn Clock>,
) -> Result<Arc<ClientConfig>, PkiError> {
    let mut config = client_builder(clock)?
        .with_root_certificates(roots(identity.ca())?)
        .with_client_auth_cert(identity.chain().to_vec(), identity.private_key()?)
        .map_err(PkiError::Unusable)?;
    finish_client(&mut config, purpose);
    Ok(Arc::new(config))
}

pub(crate) fn finish_client(config: &mut ClientConfig, purpose: Purpose) {
    config.alpn_protocols = vec![purpose.alpn().to_vec()];
    config.resumption = Resumption::disabled();
}

/// What an API server accepts with. A connection without a client certificate is let through, to enrol.
pub(crate) fn server(identity: &ServerIdentity, clock: Arc<dyn Clock>) -> Result<Arc<ServerConfig>, PkiError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(identity.ca())?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| PkiError::Unreadable { what: "the certificate authority", why: error.to_string() })?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(TlsClock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(PkiError::Unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain().to_vec(), identity.key())
        .map_err(PkiError::Unusable)?;
    config.alpn_protocols =
        [Purpose::Control, Purpose::Bulk, Purpose::Enrol].map(|purpose| purpose.alpn().to_vec()).to_vec();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_api_servers_is_a_dns_name() {
        assert!(matches!(server_name(), ServerName::DnsName(_)));
    }

    #[test]
    fn every_purpose_is_told_by_its_alpn_name() {
        for purpose in [Purpose::Control, Purpose::Bulk, Purpose::Enrol] {
            assert_eq!(Purpose::from_alpn(purpose.alpn()), Some(purpose));
        }
        assert_eq!(Purpose::from_alpn(b"h2"), None);
    }
}
