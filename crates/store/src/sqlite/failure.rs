//! What SQLite's errors mean for a caller of the store.

use std::{path::Path, time::Duration};

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// Translates an error that left nothing written.
pub(crate) fn meaning(error: &Error, path: &Path, waited: Duration) -> StoreError {
    let Error::SqliteFailure(failure, message) = error else {
        // Everything else is a row that does not look as the schema says.
        return StoreError::Corrupt { path: path.to_owned(), what: error.to_string() };
    };
    let words = || message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::DiskFull => StoreError::DiskFull,
        // The wal-index is extended by writing to it, which is where a full disk shows first.
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::DiskFull,
        ErrorCode::SystemIoFailure => StoreError::DiskFailing { reason: format!("{}: {}", path.display(), words()) },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            StoreError::Corrupt { path: path.to_owned(), what: words() }
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { reason: words() },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Timeout { after: waited, waiting_for: "another process holds the database's lock" }
        }
        _ => StoreError::Unavailable { reason: format!("{}: {}", path.display(), words()) },
    }
}

/// Translates an error of COMMIT itself: after a failed write or sync the frames may be on the disk all the same.
pub(super) fn meaning_at_commit(error: &Error, path: &Path, waited: Duration) -> StoreError {
    match error {
        Error::SqliteFailure(failure, _) if failure.code == ErrorCode::SystemIoFailure => {
            StoreError::OutcomeUnknown { reason: format!("the disk reported an error: {error}") }
        }
        _ => meaning(error, path, waited),
    }
}

/// Whether the error concerns the database as a whole, so that trying one transaction alone is no use.
pub(super) fn is_general(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
        )
    )
}

/// Whether the disk failed to write or to sync, so that what is on it is not what the kernel says.
pub(super) fn is_of_the_disk(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Whether somebody else holds the lock, so that trying again soon is worthwhile.
pub(crate) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
