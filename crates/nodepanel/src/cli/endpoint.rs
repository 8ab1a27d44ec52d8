//! Where the API is, and a connection to it: plain on this host, TLS to anywhere else.
//!
//! Invariant: a secret leaves this host unencrypted only when the operator has said so with `--insecure`.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
};

use http::uri::{Authority, Scheme};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use crate::exit::{Exit, Refusal};

/// A connection, encrypted or not.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An API.
pub struct Endpoint {
    host: String,
    port: u16,
    reach: Reach,
}

/// How it is reached.
enum Reach {
    /// Unencrypted, and only as far as this host.
    ThisHost,
    /// Unencrypted, wherever it is.
    Insecure,
    /// With TLS.
    Tls(TlsConnector),
}

/// How the operator wants other hosts to be trusted.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<&'a Path>,
    /// Send secrets unencrypted.
    pub insecure: bool,
}

impl Endpoint {
    /// The API of the installation on this host, at the `host:port` where it says that it listens.
    pub fn local(authority: &Authority) -> Self {
        let ip: Option<IpAddr> = bare(authority.host()).parse().ok();
        let host = match ip {
            // An address that listens everywhere is reached on this host.
            Some(IpAddr::V4(ip)) if ip.is_unspecified() => "127.0.0.1".to_owned(),
            Some(IpAddr::V6(ip)) if ip.is_unspecified() => "::1".to_owned(),
            _ => bare(authority.host()).to_owned(),
        };
        Self { host, port: authority.port_u16().unwrap_or(80), reach: Reach::ThisHost }
    }

    /// The API that a URL names.
    pub fn parse(url: &str, trust: Trust<'_>) -> Result<Self, Refusal> {
        let wrong = |why: &str| Refusal { exit: Exit::Usage, message: format!("The URL {url} cannot be used: {why}") };
        let uri: http::Uri = url.parse().map_err(|_| wrong("write it like https://panel.example.org."))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(wrong("write it like https://panel.example.org."));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("it holds a user name; the API key goes into --token or NODEPANEL_TOKEN."));
        }
        if !uri.path().trim_end_matches('/').is_empty() || uri.query().is_some() {
            return Err(wrong("leave out what follows the host; the API is at /api of it."));
        }
        let host = bare(authority.host()).to_owned();
        let port = authority.port_u16();
        if *scheme == Scheme::HTTPS {
            return Ok(Self { host, port: port.unwrap_or(443), reach: Reach::Tls(connector(trust.ca_file)?) });
        }
        if *scheme != Scheme::HTTP {
            return Err(wrong("it must begin with https:// or http://."));
        }
        let reach = if trust.insecure {
            Reach::Insecure
        } else if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            Reach::ThisHost
        } else {
            return Err(wrong(
                "http:// to another host would show the API key to everybody on the way. Use https://, an SSH tunnel, or \
                 --insecure if you trust the whole network between.",
            ));
        };
        Ok(Self { host, port: port.unwrap_or(80), reach })
    }

    /// `host:port`, as it goes into a Host header and messages.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Its address for people.
    pub fn url(&self) -> String {
        let scheme = if matches!(self.reach, Reach::Tls(_)) { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// Connects. A `Refusal` among the errors says that trying again helps nobody.
    pub async fn connect(&self) -> anyhow::Result<Box<dyn Stream>> {
        let stream = self.dial().await?;
        let Reach::Tls(connector) = &self.reach else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| self.refusal("its name cannot stand in a certificate"))?;
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::InvalidCertificate(why)) => self.refusal(&format!(
                    "its certificate is not trusted ({why}). If it was issued by a CA of your own, name that with --ca-file"
                )),
                Some(rustls::Error::InvalidMessage(_)) => {
                    self.refusal("it does not speak TLS there; is it the right port, or http:// instead of https://?")
                }
                Some(other) => self.refusal(&format!("TLS failed ({other})")),
                None => error.into(),
            }),
        }
    }

    async fn dial(&self) -> anyhow::Result<TcpStream> {
        let addresses = lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.refusal(&format!("its name cannot be resolved ({error})")))?;
        let mut last = None;
        for address in addresses {
            if matches!(self.reach, Reach::ThisHost) && !is_own(address) {
                last = Some(self.refusal(&format!(
                    "{} is no address of this machine, and secrets are not sent elsewhere unencrypted. Name the \
                     installation with --url https://… and --token",
                    address.ip()
                )));
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error.into()),
            }
        }
        Err(last.unwrap_or_else(|| self.refusal("its name has no address")))
    }

    fn refusal(&self, why: &str) -> anyhow::Error {
        Refusal { exit: Exit::Unavailable, message: format!("{} cannot be used: {why}.", self.url()) }.into()
    }
}

/// Whether a packet to this address stays on this machine: only an own address can be bound.
fn is_own(address: SocketAddr) -> bool {
    address.ip().is_loopback() || UdpSocket::bind((address.ip(), 0)).is_ok()
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Refusal> {
    let wrong = |message: String| Refusal { exit: Exit::Usage, message };
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let unreadable = |error: &dyn std::fmt::Display| {
            wrong(format!("The CA file {} cannot be used: {error}. It must hold certificates as PEM.", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.is_empty() {
            return Err(unreadable(&"there is no certificate in it"));
        }
    } else {
        // Certificates that cannot be parsed are no reason to trust none of the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(wrong(
                "This machine has no list of trusted certificate authorities: install it (apt-get install \
                 ca-certificates), or name one with --ca-file."
                    .to_owned(),
            ));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(format!("TLS cannot be used: {error}.")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
