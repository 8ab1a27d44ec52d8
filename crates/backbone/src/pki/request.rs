//! A new key and the request to sign it, on the machine that will own it.

use rcgen::{CertificateParams, CertificateSigningRequestParams, DistinguishedName, KeyPair, PublicKey};
use sha2::{Digest, Sha256};

use super::{PkiError, Secret};

/// The longest request that is read.
const MAX_REQUEST: usize = 16 * 1024;

/// A private key that has no certificate yet, and the request for one.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    key: Secret,
    csr: String,
}

impl KeyRequest {
    /// Makes a key (ECDSA P-256, from the operating system's generator) and a request for it. The request names
    /// nobody: the authority knows whom it signs for.
    pub fn generate() -> Result<Self, PkiError> {
        let make = |source| PkiError::Make { what: "a key", source };
        Self::for_key(&KeyPair::generate().map_err(make)?)
    }

    /// The same request again for a key that was kept.
    pub fn from_key(key: &Secret) -> Result<Self, PkiError> {
        let pair = KeyPair::from_pem(key.expose())
            .map_err(|error| PkiError::Unreadable { what: "the private key", why: error.to_string() })?;
        Self::for_key(&pair)
    }

    fn for_key(pair: &KeyPair) -> Result<Self, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let csr = params
            .serialize_request(pair)
            .and_then(|request| request.pem())
            .map_err(|source| PkiError::Make { what: "a certificate request", source })?;
        Ok(Self { key: Secret::new(pair.serialize_pem()), csr })
    }

    /// The private key, PEM (PKCS #8).
    pub fn key(&self) -> &Secret {
        &self.key
    }

    /// The request, PEM (PKCS #10).
    pub fn csr(&self) -> &str {
        &self.csr
    }
}

/// Names the key of a request (SHA-256 of the public key, hexadecimal): an enrolment that is repeated because its
/// answer was lost comes with the same key and may be answered again.
pub fn request_key(csr_pem: &str) -> Result<String, PkiError> {
    use rcgen::PublicKeyData as _;
    Ok(hex::encode(Sha256::digest(verified_key(csr_pem)?.der_bytes())))
}

/// The public key of a request whose signature proves possession of the private one. Whatever else the request
/// asks for is ignored.
pub(super) fn verified_key(csr_pem: &str) -> Result<PublicKey, PkiError> {
    let unreadable = |why: String| PkiError::Unreadable { what: "the certificate request", why };
    if csr_pem.len() > MAX_REQUEST {
        return Err(unreadable(format!("it is longer than {MAX_REQUEST} bytes")));
    }
    let request = CertificateSigningRequestParams::from_pem(csr_pem).map_err(|error| unreadable(error.to_string()))?;
    if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(unreadable("its key is not ECDSA P-256".to_owned()));
    }
    Ok(request.public_key)
}
