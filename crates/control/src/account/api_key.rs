//! The text of an API key: `npk_<id>_<secret>`, where the secret has 256 random bits.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use nodepanel_types::{ApiKeyId, clock::IdSource};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const PREFIX: &str = "npk_";

/// A bearer token in parts.
pub struct ApiKeyToken {
    /// Names the record.
    pub id: ApiKeyId,
    secret: String,
}

impl ApiKeyToken {
    /// A new secret for `id`.
    pub fn make(id: ApiKeyId, ids: &dyn IdSource) -> Self {
        let mut secret = [0; 32];
        ids.fill(&mut secret);
        Self { id, secret: URL_SAFE_NO_PAD.encode(secret) }
    }

    /// Reads the text of a token; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = uuid::Uuid::try_parse(id).ok()?;
        Some(Self { id: ApiKeyId::from_uuid(id), secret: secret.to_owned() })
    }

    /// The text, shown to its owner once.
    pub fn reveal(&self) -> String {
        format!("{}{}", Self::shown(self.id), self.secret)
    }

    /// What may be shown of a token: everything but the secret.
    pub fn shown(id: ApiKeyId) -> String {
        format!("{PREFIX}{}_", id.as_uuid().simple())
    }

    /// What is stored of the secret.
    pub fn digest(&self) -> String {
        digest(&self.secret)
    }

    /// Whether this is the secret that `stored` was made from.
    pub fn matches(&self, stored: &str) -> bool {
        self.digest().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

/// SHA-256 of a random secret, hexadecimal.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}
