//! Sealing: what only this installation can read, and nobody can change unseen. XChaCha20-Poly1305 with a random nonce.

use std::marker::PhantomData;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use nodepanel_types::clock::IdSource;
use serde::{Serialize, de::DeserializeOwned};

use super::MasterKey;

const NONCE_BYTES: usize = 24;

/// What was sealed cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sealed by this installation for this purpose, or damaged")]
pub struct SealError;

/// Seals and opens values of one type for one purpose.
pub struct Sealed<T> {
    cipher: XChaCha20Poly1305,
    purpose: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Sealing for `purpose`; what was sealed for one purpose does not open for another.
    pub fn new(master: &MasterKey, purpose: &'static str) -> Self {
        let key = master.derive("seal", purpose.as_bytes());
        Self { cipher: XChaCha20Poly1305::new(&key.into()), purpose, of: PhantomData }
    }

    /// The sealed value, as URL-safe text.
    pub fn seal(&self, value: &T, ids: &dyn IdSource) -> Result<String, SealError> {
        let plain = serde_json::to_vec(value).map_err(|_| SealError)?;
        let mut nonce = [0; NONCE_BYTES];
        ids.fill(&mut nonce);
        let payload = Payload { msg: &plain, aad: self.purpose.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError)?;
        let mut whole = Vec::with_capacity(NONCE_BYTES + sealed.len());
        whole.extend_from_slice(&nonce);
        whole.extend_from_slice(&sealed);
        Ok(URL_SAFE_NO_PAD.encode(whole))
    }

    /// The value, if the text was sealed here for this purpose.
    pub fn open(&self, text: &str) -> Result<T, SealError> {
        let whole = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError)?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| SealError)?;
        let payload = Payload { msg: sealed, aad: self.purpose.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError)?;
        serde_json::from_slice(&plain).map_err(|_| SealError)
    }
}
