//! What is read from a certificate: whom it names, its serial number and its time.
//!
//! Reading is not verifying: rustls has checked the chain before anything here is believed.

use std::fmt;

use nodepanel_types::{NodeId, Timestamp};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{NodeNameError, PkiError, node_from_uri};

/// SHA-256 of a certificate: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| "a fingerprint has 64 hexadecimal digits")?;
        Ok(Self(bytes))
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// A certificate's serial number, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Serial(pub String);

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What matters about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its serial number.
    pub serial: Serial,
    /// It is valid from here.
    pub not_before: Timestamp,
    /// It is valid until here.
    pub not_after: Timestamp,
    /// The public key, in DER (`SubjectPublicKeyInfo`).
    pub public_key: Vec<u8>,
    names: Result<NodeId, NodeNameError>,
}

impl CertificateFacts {
    /// Reads a certificate.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, PkiError> {
        let unreadable = |why: String| PkiError::Unreadable { what: "the certificate", why };
        let (rest, parsed) =
            X509Certificate::from_der(certificate.as_ref()).map_err(|error| unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(unreadable("there is something behind its end".to_owned()));
        }
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1_000));
        Ok(Self {
            serial: Serial(hex::encode(parsed.raw_serial())),
            not_before: at(parsed.validity().not_before.timestamp()),
            not_after: at(parsed.validity().not_after.timestamp()),
            public_key: parsed.public_key().raw.to_vec(),
            names: named_node(&parsed),
        })
    }

    /// The one node that it names.
    pub fn node(&self) -> Result<NodeId, NodeNameError> {
        self.names.clone()
    }

    /// Whether less than a third of its life is left (or its life is over).
    pub fn renewal_due(&self, now: Timestamp) -> bool {
        let life = self.not_after.since(self.not_before);
        self.not_after.since(now) <= life / 3
    }
}

fn named_node(certificate: &X509Certificate<'_>) -> Result<NodeId, NodeNameError> {
    let names = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.as_slice(),
        Ok(None) => &[],
        Err(_) => return Err(NodeNameError::NotOne { found: "an unreadable list".to_owned() }),
    };
    match names {
        [GeneralName::URI(uri)] => node_from_uri(uri),
        [] => Err(NodeNameError::NotOne { found: "none".to_owned() }),
        [_] => Err(NodeNameError::NotOne { found: "a name of another kind".to_owned() }),
        several => Err(NodeNameError::NotOne { found: format!("{} names", several.len()) }),
    }
}
