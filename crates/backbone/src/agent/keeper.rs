//! The agent's identity while it runs: what the links are dialled with, and how it is renewed.

use std::sync::Arc;

use nodepanel_types::clock::Clock;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::UnixTime;
use tokio::sync::{Mutex, watch};

use crate::{
    LinkAddress,
    pki::{Identity, IdentityFile, IdentityFileError, KeyRequest, PkiError, StoredIdentity},
    tls,
};

/// A certificate that was sent is not taken.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It is not for the key that waits, or not of this installation.
    #[error("the new certificate is not for this machine")]
    NotOurs(#[source] PkiError),
    /// It cannot be stored.
    #[error("the new certificate cannot be stored")]
    File(#[from] IdentityFileError),
    /// The thread that writes it died.
    #[error("the new certificate was not stored")]
    Interrupted,
}

/// Holds the present identity and replaces it, on disk first.
pub struct IdentityKeeper {
    file: IdentityFile,
    current: watch::Sender<Arc<Identity>>,
    /// One renewal at a time: several API servers may want to.
    turn: Mutex<()>,
    clock: Arc<dyn Clock>,
}

impl IdentityKeeper {
    /// Takes up an identity that is on disk already.
    pub fn new(identity: Identity, file: IdentityFile, clock: Arc<dyn Clock>) -> Self {
        Self { file, current: watch::Sender::new(Arc::new(identity)), turn: Mutex::default(), clock }
    }

    /// The present identity.
    pub fn current(&self) -> Arc<Identity> {
        Arc::clone(&self.current.borrow())
    }

    /// The present identity and those that follow.
    pub fn watch(&self) -> watch::Receiver<Arc<Identity>> {
        self.current.subscribe()
    }

    /// A request for a new certificate, for a key that is on disk.
    pub async fn request(&self) -> Result<KeyRequest, RenewError> {
        let _turn = self.turn.lock().await;
        let file = self.file.clone();
        blocking(move || file.pending_request().map_err(RenewError::from)).await
    }

    /// Takes a new certificate for the key that waits. One for the key in use is a repetition and changes nothing.
    pub async fn install(&self, certificate_pem: &str) -> Result<(), RenewError> {
        let _turn = self.turn.lock().await;
        let (current, file, clock) = (self.current(), self.file.clone(), Arc::clone(&self.clock));
        let certificate = certificate_pem.to_owned();
        let renewed = blocking(move || {
            let renewed = |key| {
                Identity::new(StoredIdentity { certificate: certificate.clone(), key, ..current.stored().clone() })
            };
            if renewed(current.stored().key.clone()).is_ok() {
                return Ok(None);
            }
            let waiting = file.pending_request()?;
            let identity = renewed(waiting.key().clone()).map_err(RenewError::NotOurs)?;
            check_issuer(&identity, clock.as_ref()).map_err(RenewError::NotOurs)?;
            file.save(&identity)?;
            Ok(Some(identity))
        })
        .await?;
        if let Some(renewed) = renewed {
            tracing::info!(identity.not_after = %renewed.facts().not_after, "This node's certificate was renewed.");
            self.current.send_replace(Arc::new(renewed));
        }
        Ok(())
    }

    /// Remembers where the API servers are, for the next start.
    pub async fn set_addresses(&self, addresses: Vec<LinkAddress>) -> Result<(), RenewError> {
        let _turn = self.turn.lock().await;
        let (current, file) = (self.current(), self.file.clone());
        if current.stored().addresses == addresses {
            return Ok(());
        }
        let stored = StoredIdentity { addresses, ..current.stored().clone() };
        let changed = blocking(move || {
            let identity = Identity::new(stored).map_err(RenewError::NotOurs)?;
            file.save(&identity)?;
            Ok(identity)
        })
        .await?;
        self.current.send_replace(Arc::new(changed));
        Ok(())
    }
}

impl std::fmt::Debug for IdentityKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityKeeper").field("current", &self.current()).finish_non_exhaustive()
    }
}

/// A certificate that no API server would accept must not replace one that works.
fn check_issuer(identity: &Identity, clock: &dyn Clock) -> Result<(), PkiError> {
    let unusable = |why: String| PkiError::Unreadable { what: "the new certificate", why };
    let verifier = WebPkiClientVerifier::builder_with_provider(tls::roots(identity.ca())?, tls::provider())
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let leaf = identity.chain().first().ok_or_else(|| unusable("there is none".to_owned()))?;
    let now = u64::try_from(clock.now().as_millis()).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_millis(now));
    verifier.verify_client_cert(leaf, &[], now).map(drop).map_err(PkiError::Unusable)
}

/// Runs what waits for the disk where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RenewError> + Send + 'static,
) -> Result<T, RenewError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RenewError::Interrupted)?
}
