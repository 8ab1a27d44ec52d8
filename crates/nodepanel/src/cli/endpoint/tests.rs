//! What is trusted, what is refused, and what the refusals say.

use std::{net::TcpListener, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::*;

const TRUST: Trust<'static> = Trust { ca_file: None, insecure: false };

fn refusal(url: &str) -> String {
    Endpoint::parse(url, TRUST).err().unwrap().message
}

#[test]
fn a_secret_goes_unencrypted_to_this_host_only() {
    for url in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080/", "http://127.8.9.1"] {
        assert!(Endpoint::parse(url, TRUST).is_ok(), "{url}");
    }
    for url in
        ["http://192.0.2.1:8080", "http://panel.example.org", "http://[2001:db8::1]", "http://127.0.0.1.evil.example"]
    {
        assert!(refusal(url).contains("--insecure"), "{url}");
        assert!(Endpoint::parse(url, Trust { insecure: true, ..TRUST }).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn an_installation_that_was_copied_here_sends_its_secret_nowhere() {
    let endpoint = Endpoint::local(&"192.0.2.1:8080".parse().unwrap());
    let error = endpoint.connect().await.err().unwrap().to_string();
    assert!(error.contains("no address of this machine"), "{error}");
}

#[test]
fn what_is_no_address_of_an_api_says_what_to_write() {
    assert!(refusal("panel.example.org").contains("https://"));
    assert!(refusal("ftp://panel.example.org").contains("https://"));
    assert!(refusal("https://admin:x@panel.example.org").contains("--token"));
    assert!(refusal("https://panel.example.org/servers").contains("leave out"));
    let trust = Trust { ca_file: Some(Path::new("/nonexistent.pem")), ..TRUST };
    let message = Endpoint::parse("https://panel.example.org", trust).err().unwrap().message;
    assert!(message.contains("/nonexistent.pem"), "{message}");
}

#[test]
fn addresses_are_written_as_people_know_them() {
    let of = |url: &str| Endpoint::parse(url, Trust { insecure: true, ..TRUST }).unwrap().url();
    assert_eq!(of("http://[::1]:8080"), "http://[::1]:8080");
    assert_eq!(of("http://localhost"), "http://localhost:80");
    assert_eq!(Endpoint::local(&"0.0.0.0:8080".parse().unwrap()).url(), "http://127.0.0.1:8080");
    assert_eq!(Endpoint::local(&"[::]:8080".parse().unwrap()).url(), "http://[::1]:8080");
}

/// A server with a certificate of a CA of its own for `localhost`; answers every connection with `hello`.
struct TlsServer {
    port: u16,
    ca_file: PathBuf,
    _directory: TempDir,
}

impl TlsServer {
    fn start() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not trust us breaks off.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    stream.write_all(b"hello").await.unwrap();
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self { port, ca_file, _directory: directory }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }
}

async fn refused(url: &str, trust: Trust<'_>) -> String {
    let error = Endpoint::parse(url, trust).unwrap().connect().await.err().unwrap();
    assert!(error.is::<Refusal>(), "{error} is tried again");
    error.to_string()
}

#[tokio::test]
async fn a_certificate_is_trusted_when_its_ca_is_named() {
    let server = TlsServer::start();
    let trust = Trust { ca_file: Some(&server.ca_file), ..TRUST };
    let endpoint = Endpoint::parse(&server.url("localhost"), trust).unwrap();
    let mut text = String::new();
    endpoint.connect().await.unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_or_another_name_is_refused_with_the_way_out() {
    let (server, other) = (TlsServer::start(), TlsServer::start());
    let error = refused(&server.url("localhost"), Trust { ca_file: Some(&other.ca_file), ..TRUST }).await;
    assert!(error.contains("not trusted") && error.contains("--ca-file"), "{error}");
    let error = refused(&server.url("127.0.0.1"), Trust { ca_file: Some(&server.ca_file), ..TRUST }).await;
    assert!(error.contains("not trusted"), "{error}");
}

#[tokio::test]
async fn a_port_without_tls_is_named_as_such() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let server = TlsServer::start();
    let trust = Trust { ca_file: Some(&server.ca_file), ..TRUST };
    let error = refused(&format!("https://localhost:{port}"), trust).await;
    assert!(error.contains("does not speak TLS"), "{error}");
}

#[tokio::test]
async fn a_file_without_certificates_is_no_ca() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let message = Endpoint::parse("https://localhost", Trust { ca_file: Some(&path), ..TRUST }).err().unwrap().message;
    assert!(message.contains("no certificate in it"), "{message}");
}
