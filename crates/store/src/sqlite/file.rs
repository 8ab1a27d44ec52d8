//! The database file before it is opened for writing: created privately, or looked at without touching it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{failure, schema};
use crate::StoreError;

/// Creates the directory (0700) and the store (0600) where they are missing.
///
/// The store is made under another name and appears whole, so that an empty file in its place is damage, never a
/// beginning: taking one for a new store would answer "nothing exists" after a disaster.
pub(super) fn create_missing(path: &Path, patience: Duration) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| refused(parent, &error))?;
    match fs::metadata(path) {
        Ok(metadata) => {
            close_to_others(path, metadata.mode());
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => create(path, parent, patience),
        Err(error) => Err(refused(path, &error)),
    }
}

fn create(path: &Path, parent: &Path, patience: Duration) -> Result<(), StoreError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".new-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    let draft = Path::new(&draft);
    let outcome = build(draft, patience).and_then(|()| appear(draft, path, parent));
    if let Err(error) = fs::remove_file(draft)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(path = %draft.display(), %error, "a draft of the store was left behind");
    }
    outcome
}

fn build(draft: &Path, patience: Duration) -> Result<(), StoreError> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft);
    drop(file.map_err(|error| refused(draft, &error))?);
    let connection = schema::open_writer(draft, patience, None)?;
    // The last connection moves everything into the file itself as it closes.
    connection.close().map_err(|(_, error)| failure::meaning(&error, draft, patience))
}

/// Gives the draft its name, unless another process was faster: then its store is the one.
fn appear(draft: &Path, path: &Path, parent: &Path) -> Result<(), StoreError> {
    // Neither of the two replaces anything; some file systems know only one of them.
    let renamed = renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE).map_err(std::io::Error::from);
    match renamed.or_else(|error| if is_taken(&error) { Err(error) } else { fs::hard_link(draft, path) }) {
        Ok(()) => {}
        Err(error) if is_taken(&error) => return Ok(()),
        Err(error) => return Err(refused(path, &error)),
    }
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(|error| refused(parent, &error))
}

fn is_taken(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::AlreadyExists
}

/// The store holds password hashes and keys: a file that others can read is put right, where that is allowed.
fn close_to_others(path: &Path, mode: u32) {
    let for_others = mode & 0o077;
    if for_others == 0 {
        return;
    }
    match fs::set_permissions(path, Permissions::from_mode(0o600)) {
        Ok(()) => tracing::warn!(path = %path.display(), "others could read the store's file; its mode is 0600 now"),
        Err(error) => tracing::error!(path = %path.display(), %error, "others can read the store's file"),
    }
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
        return Err(StoreError::Corrupt { path: path.to_owned(), what: "the file is empty".into() });
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
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The file that is at `path` now.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}
