//! The database file before it is opened for writing: created privately, or looked at without touching it.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{failure, schema};
use crate::StoreError;

/// Creates the directory (0700) and an empty file (0600) where they are missing.
pub(super) fn create_missing(path: &Path) -> Result<(), StoreError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| refused(parent, &error))?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => close_to_others(path),
        Err(error) => Err(refused(path, &error)),
    }
}

/// The store holds password hashes and keys: a file that others can read is put right, where that is allowed.
fn close_to_others(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(|error| refused(path, &error))?;
    if metadata.mode() & 0o077 != 0 {
        match fs::set_permissions(path, Permissions::from_mode(0o600)) {
            Ok(()) => {
                tracing::warn!(path = %path.display(), "others could read the store's file; its mode is 0600 now");
            }
            Err(error) => tracing::error!(path = %path.display(), %error, "others can read the store's file"),
        }
    }
    Ok(())
}

fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    let reason = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { reason },
        _ => StoreError::Unavailable { reason },
    }
}

/// Looks for damage and foreign or newer schemas through a connection that cannot write to the file.
pub(super) fn inspect(path: &Path, patience: Duration) -> Result<(), StoreError> {
    if fs::metadata(path).map_err(|error| refused(path, &error))?.len() == 0 {
        return Ok(());
    }
    let look = || -> rusqlite::Result<(schema::Found, Option<String>)> {
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.busy_timeout(patience)?;
        let found = schema::Found::read(&connection)?;
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((found, (verdict != "ok").then_some(verdict)))
    };
    let (found, damage) = look().map_err(|error| failure::meaning(&error, path, patience))?;
    match damage {
        Some(what) => Err(StoreError::Corrupt { path: path.to_owned(), what: what.trim().replace('\n', "; ") }),
        None => found.acceptable(path),
    }
}

/// Which file a path names, to notice that it was moved or replaced under an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The file that is at `path` now.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}
