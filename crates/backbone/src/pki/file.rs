//! The agent's identity on disk: one file, readable by its owner only, replaced as a whole.
//!
//! A crash at any moment leaves the old file or the new one. A key that waits for its certificate is kept beside it,
//! so that an enrolment whose answer was lost is repeated with the same key.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{Identity, KeyRequest, PkiError, Secret, StoredIdentity};

/// The file cannot be read or written, or holds no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFileError {
    /// The file system refused.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The content is damaged or of another version.
    #[error("{} holds no usable identity; if it cannot be restored, enrol this machine again with a new join token", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: PkiError,
    },
}

/// Where an agent keeps its identity.
#[derive(Debug, Clone)]
pub struct IdentityFile {
    path: PathBuf,
}

impl IdentityFile {
    /// Uses `identity.json` (and `pending-key.pem`) in a directory that exists.
    pub fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join("identity.json") }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the identity; `None` when this machine has none yet.
    pub fn load(&self) -> Result<Option<Identity>, IdentityFileError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io("read", source)),
        };
        let damaged = |source| IdentityFileError::Damaged { path: self.path.clone(), source };
        let stored: StoredIdentity = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(PkiError::Unreadable { what: "the node's identity", why: error.to_string() }))?;
        Identity::new(stored).map(Some).map_err(damaged)
    }

    /// Writes the identity, and forgets the key that waited for it.
    pub fn save(&self, identity: &Identity) -> Result<(), IdentityFileError> {
        let text = serde_json::to_vec_pretty(identity.stored()).map_err(|error| self.io("write", error.into()))?;
        replace(&self.path, &text).map_err(|source| self.io("write", source))?;
        match fs::remove_file(self.pending()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io("remove", error)),
            _ => Ok(()),
        }
    }

    /// The key that waits for its certificate; made and written when there is none.
    pub fn pending_request(&self) -> Result<KeyRequest, IdentityFileError> {
        let path = self.pending();
        let damaged = |source| IdentityFileError::Damaged { path: path.clone(), source };
        match fs::read_to_string(&path) {
            // A damaged waiting key is worth nothing to anybody: make another.
            Ok(text) => {
                if let Ok(request) = KeyRequest::from_key(&Secret::new(text)) {
                    return Ok(request);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(IdentityFileError::Io { action: "read", path, source }),
        }
        let request = KeyRequest::generate().map_err(damaged)?;
        replace(&path, request.key().expose().as_bytes()).map_err(|source| IdentityFileError::Io {
            action: "write",
            path,
            source,
        })?;
        Ok(request)
    }

    fn pending(&self) -> PathBuf {
        self.path.with_file_name("pending-key.pem")
    }

    fn io(&self, action: &'static str, source: io::Error) -> IdentityFileError {
        IdentityFileError::Io { action, path: self.path.clone(), source }
    }
}

/// Writes beside the file, then renames over it; both are on disk when this returns.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
