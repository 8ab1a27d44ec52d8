//! The master key: 32 random bytes in a file that only NodePanel's user can read.
//!
//! It seals what is secret in the store, so that a copy of the database alone opens no door. Whoever can read the file
//! is the operator of the host. Every use has a label of its own, so that a secret made for one purpose is never
//! accepted for another.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use nodepanel_types::clock::IdSource;
use sha2::Sha256;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// The master key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file could not be read or written.
    #[error("the master key {} cannot be read or written: check the owner and the permissions of the data directory", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not hold a key.
    #[error("the master key {} is damaged ({found} bytes instead of 32): restore it from a backup; without it the installation's secrets cannot be read", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// Others can read the file.
    #[error("the master key {} can be read by other users (mode {mode:o}): run chmod 600 on it, and consider it known to them", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// 32 secret bytes. Never printed.
#[derive(Clone, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// The file's name below the data directory.
    pub const FILE: &str = "secret.key";

    /// A key from its bytes, for tests and for the file.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads `data_dir/secret.key`.
    pub fn load(data_dir: &Path) -> Result<Self, MasterKeyError> {
        let path = data_dir.join(Self::FILE);
        let io = |source| MasterKeyError::Io { path: path.clone(), source };
        let mut file = std::fs::File::open(&path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed { path, mode });
        }
        let mut content = Vec::with_capacity(32);
        file.read_to_end(&mut content).map_err(io)?;
        let key = <[u8; 32]>::try_from(content.as_slice());
        let found = content.len();
        content.zeroize();
        key.map(Self).map_err(|_| MasterKeyError::Damaged { path, found })
    }

    /// Reads `data_dir/secret.key`, and makes it first when there is none. Safe when several processes do so at once:
    /// the key appears whole or not at all, and the first one wins.
    pub fn load_or_create(data_dir: &Path, ids: &dyn IdSource) -> Result<Self, MasterKeyError> {
        match Self::load(data_dir) {
            Err(MasterKeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        let path = data_dir.join(Self::FILE);
        let io = |source| MasterKeyError::Io { path: path.clone(), source };
        let draft = data_dir.join(format!(".{}.{}", Self::FILE, ids.uuid().simple()));
        let mut bytes = [0; 32];
        ids.fill(&mut bytes);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
        bytes.zeroize();
        // A hard link fails when the name exists, where a rename would replace another process's key.
        let linked = std::fs::hard_link(&draft, &path);
        std::fs::remove_file(&draft).map_err(io)?;
        match linked {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => return Err(io(source)),
            _ => {}
        }
        std::fs::File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        Self::load(data_dir)
    }

    /// 32 bytes that only the holder of the key can make, bound to `label` and `context`.
    ///
    /// # Panics
    /// Never: HMAC takes keys of any length.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn derive(&self, label: &'static str, context: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(&(label.len() as u64).to_be_bytes());
        mac.update(label.as_bytes());
        mac.update(context);
        mac.finalize().into_bytes().into()
    }
}
