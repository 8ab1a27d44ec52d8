//! The machine's half of an enrolment: find an API server, make sure that it is the right one, ask.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use nodepanel_types::clock::Clock;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::{EnrolRefusal, JoinToken};
use crate::{
    ConnectError, LinkAddress, LinkTiming,
    body::{self, Stall},
    connect::connect,
    pki::{Fingerprint, Identity, KeyRequest, PkiError, StoredIdentity},
    tls::{self, Purpose},
    transport,
    wire::{self, EnrolReply, EnrolRequest, MachineFacts},
};

/// The whole question and answer, after TLS.
const ANSWER: Duration = Duration::from_secs(15);

/// This machine did not become a node.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No address of the token can be reached; this is what came of the last one.
    #[error("could not reach the panel")]
    Connect(#[from] ConnectError),
    /// Somebody else answers.
    #[error(
        "{address} answers with the authority {found}, but the join token names {expected}: somebody may be in between, \
         or the token is of another installation. Nothing was sent"
    )]
    Fingerprint {
        /// What was dialled.
        address: LinkAddress,
        /// What the token says.
        expected: Fingerprint,
        /// What answers there.
        found: String,
    },
    /// The panel said no.
    #[error("the panel refused to enrol this machine")]
    Refused(#[source] EnrolRefusal),
    /// The connection broke before the answer. The same command can be repeated.
    #[error("the panel at {address} did not answer: {why}. Run the same command again, the token stays valid for it")]
    NoAnswer {
        /// What was dialled.
        address: LinkAddress,
        /// What is known.
        why: String,
    },
    /// The answer is of no use.
    #[error("the panel's answer cannot be used")]
    Unusable(#[from] PkiError),
}

/// Enrols this machine. `key` is kept and used again when the answer is lost (`IdentityFile::pending_request`); the
/// caller stores the identity before it does anything else.
pub async fn enrol(
    token: &JoinToken,
    key: &KeyRequest,
    facts: MachineFacts,
    clock: &Arc<dyn Clock>,
    timing: &LinkTiming,
) -> Result<Identity, EnrolError> {
    let mut last = None;
    for address in &token.addresses {
        match enrol_at(address, token, key, &facts, clock, timing).await {
            Ok(identity) => return Ok(identity),
            // Decided; the other addresses are of the same installation.
            Err(error @ (EnrolError::Refused(_) | EnrolError::Unusable(_))) => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let why = "the join token names no address".to_owned();
        EnrolError::Unusable(PkiError::Unreadable { what: "the join token", why })
    }))
}

async fn enrol_at(
    address: &LinkAddress,
    token: &JoinToken,
    key: &KeyRequest,
    facts: &MachineFacts,
    clock: &Arc<dyn Clock>,
    timing: &LinkTiming,
) -> Result<Identity, EnrolError> {
    let verifier = Arc::new(PinnedAuthority::new(token.ca_fingerprint));
    let mut config: ClientConfig = tls::client_builder(Arc::clone(clock))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    tls::finish_client(&mut config, Purpose::Enrol);
    let stream = connect(address, Arc::new(config), timing).await.map_err(|error| match verifier.mismatch() {
        Some(found) => EnrolError::Fingerprint { address: address.clone(), expected: token.ca_fingerprint, found },
        None => EnrolError::Connect(error),
    })?;
    let request = EnrolRequest {
        enrolment: token.enrolment,
        secret: token.secret.clone(),
        csr: key.csr().to_owned(),
        facts: facts.clone(),
        now: clock.now(),
    };
    let no_answer = |why: String| EnrolError::NoAnswer { address: address.clone(), why };
    let reply = match timeout(ANSWER, ask(stream, &request, timing)).await {
        Ok(Ok(Ok(reply))) => reply,
        Ok(Ok(Err(refusal))) => return Err(EnrolError::Refused(refusal)),
        Ok(Err(why)) => return Err(no_answer(why)),
        Err(_) => return Err(no_answer(format!("nothing came within {} s", ANSWER.as_secs()))),
    };
    let ca = CertificateDer::from_pem_slice(reply.ca.as_bytes())
        .map_err(|error| PkiError::Unreadable { what: "the certificate authority", why: error.to_string() })?;
    if Fingerprint::of(&ca) != token.ca_fingerprint {
        let found = Fingerprint::of(&ca).to_string();
        return Err(EnrolError::Fingerprint { address: address.clone(), expected: token.ca_fingerprint, found });
    }
    let stored = StoredIdentity::new(reply.node, reply.certificate, key.key().clone(), reply.ca, reply.addresses);
    Ok(Identity::new(stored)?)
}

/// Sends the one request. The outer error is in words.
async fn ask(
    stream: TlsStream<TcpStream>,
    request: &EnrolRequest,
    timing: &LinkTiming,
) -> Result<Result<EnrolReply, EnrolRefusal>, String> {
    let words = |error: &dyn fmt::Display| error.to_string();
    let client = transport::client(timing.ping_interval * 4, timing.ping_timeout * 5);
    let (mut sender, driver) = client.handshake(TokioIo::new(stream)).await.map_err(|error| words(&error))?;
    let driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(driver));
    let content = serde_json::to_vec(request).map_err(|error| words(&error))?;
    let mut post = Request::new(body::full(content));
    *post.method_mut() = Method::POST;
    let uri = format!("https://{}{}", crate::pki::SERVER_NAME, wire::ENROL);
    *post.uri_mut() = Uri::try_from(uri).map_err(|error| words(&error))?;
    let response = sender.send_request(post).await.map_err(|error| words(&error))?;
    let accepted = response.status().is_success();
    let stall = Stall { sender: Some(ANSWER), reader: ANSWER };
    let answer =
        body::collect(body::guard(response.into_body(), stall), 256 * 1024).await.map_err(|error| words(&error))?;
    drop(driver);
    if accepted {
        serde_json::from_slice(&answer).map(Ok).map_err(|error| words(&error))
    } else {
        serde_json::from_slice(&answer).map(Err).map_err(|error| words(&error))
    }
}

/// Trusts the one CA whose fingerprint is in the token, if it is in the chain that is shown.
struct PinnedAuthority {
    pin: Fingerprint,
    provider: Arc<CryptoProvider>,
    mismatch: Mutex<Option<String>>,
}

impl PinnedAuthority {
    fn new(pin: Fingerprint) -> Self {
        Self { pin, provider: tls::provider(), mismatch: Mutex::new(None) }
    }

    fn mismatch(&self) -> Option<String> {
        self.mismatch.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for PinnedAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedAuthority").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(ca) = intermediates.iter().find(|shown| Fingerprint::of(shown) == self.pin) else {
            let found = intermediates.last().unwrap_or(end_entity);
            *self.mismatch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Fingerprint::of(found).to_string());
            return Err(CertificateError::UnknownIssuer.into());
        };
        let roots = tls::roots(&ca.clone().into_owned()).map_err(|_| CertificateError::BadEncoding)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider))
            .build()
            .map_err(|_| CertificateError::BadEncoding)?;
        verifier.verify_server_cert(end_entity, &[], name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Only TLS 1.3 is offered.
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
