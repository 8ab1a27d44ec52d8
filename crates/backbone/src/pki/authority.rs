//! The certificate authority: made once per installation, then only loaded.
//!
//! It signs and remembers nothing; which nodes may link is the caller's decision at every connection.

use std::{fmt, sync::Arc, time::Duration};

use nodepanel_types::{
    NodeId, Timestamp, WorkerId,
    clock::{Clock, IdSource},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber, string::Ia5String,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, PkiError, SERVER_NAME, Secret, ServerIdentity, node_uri, request::verified_key};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// How long a node's certificate lives; it is renewed when a third is left.
pub const NODE_LIFETIME: Duration = Duration::from_millis(30 * DAY);
/// How long an API server's certificate lives; made anew when a third is left.
pub const SERVER_LIFETIME: Duration = Duration::from_millis(90 * DAY);
/// How far the clocks of two machines may differ before links fail: certificates begin that much in the past.
pub const SKEW_TOLERANCE: Duration = Duration::from_millis(2 * DAY);
/// The CA itself: replacing it means enrolling every node again.
const CA_LIFETIME: u64 = 30 * 365 * DAY;
const STORED_FORM: u32 = 1;

/// The authority as it is stored. Whoever stores it seals it: it contains the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredAuthority {
    /// The form of this record.
    pub v: u32,
    /// The CA's certificate, PEM.
    pub certificate: String,
    /// The CA's private key, PEM (PKCS #8).
    pub key: Secret,
}

/// The installation's certificate authority.
pub struct CertificateAuthority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
    fingerprint: Fingerprint,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl CertificateAuthority {
    /// Makes a new authority.
    pub fn create(clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Result<Self, PkiError> {
        let make = |source| PkiError::Make { what: "the certificate authority", source };
        let key = KeyPair::generate().map_err(make)?;
        let now = clock.now();
        let mut params = params(now, CA_LIFETIME, ids.as_ref());
        params.distinguished_name.push(DnType::CommonName, format!("NodePanel CA {}", serial_text(&params)));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = false;
        let certificate = params.self_signed(&key).map_err(make)?;
        let stored = StoredAuthority { v: STORED_FORM, certificate: certificate.pem(), key: key_secret(&key) };
        Self::load(&stored, clock, ids)
    }

    /// Takes up a stored authority.
    pub fn load(stored: &StoredAuthority, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Result<Self, PkiError> {
        if stored.v != STORED_FORM {
            return Err(PkiError::Newer { what: "the certificate authority", found: stored.v, known: STORED_FORM });
        }
        let unreadable = |what, why: String| PkiError::Unreadable { what, why };
        let certificate = CertificateDer::from_pem_slice(stored.certificate.as_bytes())
            .map_err(|error| unreadable("the certificate authority's certificate", error.to_string()))?;
        let key = KeyPair::from_pem(stored.key.expose())
            .map_err(|error| unreadable("the certificate authority's key", error.to_string()))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| unreadable("the certificate authority's certificate", error.to_string()))?;
        let fingerprint = Fingerprint::of(&certificate);
        Ok(Self { certificate, certificate_pem: stored.certificate.clone(), issuer, fingerprint, clock, ids })
    }

    /// The authority with its key, for storage.
    pub fn to_stored(&self) -> StoredAuthority {
        StoredAuthority {
            v: STORED_FORM,
            certificate: self.certificate_pem.clone(),
            key: key_secret(self.issuer.key()),
        }
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The CA's certificate, PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// What join tokens pin.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Makes a key and a certificate for an API server.
    pub fn issue_server(&self, instance: WorkerId) -> Result<ServerIdentity, PkiError> {
        let make = |source| PkiError::Make { what: "the API server's certificate", source };
        let key = KeyPair::generate().map_err(make)?;
        let mut params = self.leaf_params(SERVER_LIFETIME);
        params.distinguished_name.push(DnType::CommonName, format!("NodePanel API server {}", instance.short()));
        params.subject_alt_names = vec![SanType::DnsName(name(SERVER_NAME, "the API server's certificate")?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(make)?;
        ServerIdentity::new(
            vec![certificate.der().clone(), self.certificate.clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            self.certificate.clone(),
        )
    }

    /// Signs a node's key. Of the request only the key is used. Returns the node's certificate, PEM.
    pub fn issue_node(&self, node: NodeId, csr_pem: &str) -> Result<String, PkiError> {
        let public_key = verified_key(csr_pem)?;
        let mut params = self.leaf_params(NODE_LIFETIME);
        params.distinguished_name.push(DnType::CommonName, format!("NodePanel node {}", node.short()));
        params.subject_alt_names = vec![SanType::URI(name(&node_uri(node), "the node's certificate")?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params
            .signed_by(&public_key, &self.issuer)
            .map_err(|source| PkiError::Make { what: "the node's certificate", source })?;
        Ok(certificate.pem())
    }

    fn leaf_params(&self, life: Duration) -> CertificateParams {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        let mut params = params(self.clock.now(), life, self.ids.as_ref());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.is_ca = IsCa::ExplicitNoCa;
        params
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Valid from two days ago for `life` milliseconds from now; a random serial number.
fn params(now: Timestamp, life: u64, ids: &dyn IdSource) -> CertificateParams {
    let skew = u64::try_from(SKEW_TOLERANCE.as_millis()).unwrap_or(0);
    let millis = now.since(Timestamp::EPOCH);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut serial = [0; 16];
    ids.fill(&mut serial);
    // RFC 5280: positive, not zero, at most 20 bytes.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = epoch + Duration::from_millis(millis.saturating_sub(skew));
    params.not_after = epoch + Duration::from_millis(millis.saturating_add(life));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params
}

fn serial_text(params: &CertificateParams) -> String {
    let bytes = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
    hex::encode(bytes.get(..4).unwrap_or_default())
}

fn name(text: &str, what: &'static str) -> Result<Ia5String, PkiError> {
    Ia5String::try_from(text).map_err(|source| PkiError::Make { what, source })
}

fn key_secret(key: &KeyPair) -> Secret {
    Secret::new(key.serialize_pem())
}
