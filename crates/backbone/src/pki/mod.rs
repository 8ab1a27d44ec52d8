//! The installation's own certificate authority and the identities that it issues.
//!
//! One CA (ECDSA P-256) signs the certificate of every API server and of every node. A node is named by one SAN
//! URI, `nodepanel:node:<uuid>`; nothing else in a certificate is believed. Keys never leave the machine that made
//! them, except the CA's, which the caller keeps sealed in the store. No type here prints a key.

mod authority;
mod certificate;
mod file;
mod identity;
mod name;
mod request;
mod secret;

pub use authority::{CertificateAuthority, NODE_LIFETIME, SERVER_LIFETIME, SKEW_TOLERANCE, StoredAuthority};
pub use certificate::{CertificateFacts, Fingerprint, Serial};
pub use file::{IdentityFile, IdentityFileError};
pub use identity::{Identity, ServerIdentity, StoredIdentity};
pub use name::{NodeNameError, node_from_uri, node_uri};
pub use request::{KeyRequest, request_key};
pub use secret::Secret;

pub(crate) use name::SERVER_NAME;

/// A certificate, key or request cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// Key generation or signing failed.
    #[error("could not make {what}")]
    Make {
        /// What was to be made.
        what: &'static str,
        /// Why not.
        source: rcgen::Error,
    },
    /// The text is not what it should be.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate names no node, or more than one.
    #[error("the certificate does not name a node")]
    Name(#[from] NodeNameError),
    /// The certificate and the key are not of each other, or not for this use.
    #[error("the certificate and its key do not fit each other or TLS")]
    Unusable(#[source] rustls::Error),
    /// The stored record is of a newer version.
    #[error(
        "{what} was written by a newer NodePanel (form {found}, this one reads form {known}); start the newer version"
    )]
    Newer {
        /// Which record.
        what: &'static str,
        /// Its form.
        found: u32,
        /// The newest form known here.
        known: u32,
    },
}
