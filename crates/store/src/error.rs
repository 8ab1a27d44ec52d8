//! What can go wrong with the store, in sentences: what happened, what it means, what to do.
//!
//! A failed compare is not here: it is an answer, not a failure (see [`crate::CommitError`]).

use std::{path::PathBuf, time::Duration};

use crate::{Key, LeaseId, Revision};

/// The store could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be asked at present. Nothing was written.
    #[error("the store is unavailable ({reason}); nothing was written, and the request may be repeated")]
    Unavailable {
        /// Why, in words.
        reason: String,
    },
    /// The store did not get round to the request in time. Nothing was written.
    #[error("the store did not answer within {} ms ({waiting_for}); nothing was written, and the request may be repeated", .after.as_millis())]
    Timeout {
        /// How long was waited.
        after: Duration,
        /// What did not come.
        waiting_for: &'static str,
    },
    /// A write was begun and its answer never came.
    #[error("the answer to a write was lost ({reason}); the write may have been made or not: read before repeating it")]
    OutcomeUnknown {
        /// Why, in words.
        reason: String,
    },
    /// The disk, or the quota of the store, is full.
    #[error(
        "the disk that holds the store is full; nothing was written and reads go on: free some space, and writes work again by themselves"
    )]
    DiskFull,
    /// Everything is in another store now, or on its way there.
    #[error("the store has moved to {to}; nothing was written: this process has to look there")]
    Moved {
        /// Where to, in words.
        to: String,
    },
    /// The store is being filled from another one, which is not finished.
    #[error(
        "the store is being filled from another one and is not complete; nothing was written: finish that move, or take it back"
    )]
    Incomplete,
    /// What the cluster's members keep has reached their quota.
    #[error(
        "the store has reached its quota; nothing was written and reads go on: it is being cleaned up, and writes work again by themselves"
    )]
    QuotaReached,
    /// The disk reports an error where the store is written or read.
    #[error(
        "the disk that holds the store reports errors ({reason}); nothing was written and what is known can be read: look at the disk and the kernel's log; when it takes writes, they work again by themselves"
    )]
    DiskFailing {
        /// What SQLite said.
        reason: String,
    },
    /// The data is damaged. It was not touched.
    #[error(
        "the store at {} is damaged ({what}); it was left as it is: stop NodePanel, keep a copy of the file, and restore the last backup", .path.display()
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The file was written by a newer NodePanel.
    #[error(
        "the store at {} has schema version {found}, and this NodePanel knows versions up to {supported}; it was left as it is: run the newer NodePanel again", .path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest schema version that this program knows.
        supported: u32,
    },
    /// The file is some other program's database.
    #[error("{} is not a NodePanel store; it was left as it is: choose another data directory", .path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The store can be read and not written.
    #[error("the store is read-only ({reason}); reads go on: make it writable for the user that runs NodePanel")]
    ReadOnly {
        /// Why, in words.
        reason: String,
    },
    /// A value or a transaction exceeds a limit.
    #[error("{what} is too large for the store: {actual}, and the limit is {limit}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// Its size.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// The text cannot be a key or a prefix.
    #[error("'{key}' cannot be a key of the store: {problem}")]
    InvalidKey {
        /// The refused text, shortened and without control characters.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The transaction contradicts itself.
    #[error("the transaction writes the key {key} twice")]
    DuplicateKey {
        /// The key.
        key: Key,
    },
    /// The history that was asked for is gone.
    #[error("history before revision {oldest} was compacted, and revision {asked} was asked for: list again")]
    Compacted {
        /// The revision that was asked for.
        asked: Revision,
        /// The oldest revision that can still be asked for.
        oldest: Revision,
    },
    /// A revision was asked for that this store has not reached: it was restored from a backup, or replaced.
    #[error(
        "revision {asked} was asked for, and the store is only at {current}: it was restored or replaced; list again"
    )]
    FutureRevision {
        /// The revision that was asked for.
        asked: Revision,
        /// The store's present revision.
        current: Revision,
    },
    /// The lease has expired or was revoked.
    #[error("lease {lease} has expired or was revoked; keys under it are gone")]
    LeaseNotFound {
        /// The lease.
        lease: LeaseId,
    },
    /// A stored record cannot be read by this program.
    #[error("the record at {key} cannot be read ({reason}); it was left as it is")]
    Unreadable {
        /// Where it is stored.
        key: Key,
        /// Why, in words.
        reason: String,
    },
    /// A record has no JSON form: a mistake in the program.
    #[error("the record for {key} cannot be written as JSON ({reason}); nothing was written")]
    Unwritable {
        /// Where it should have been stored.
        key: Key,
        /// Why, in words.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same request may succeed later without anybody doing anything else than waiting (or freeing
    /// some disk). For [`StoreError::OutcomeUnknown`] repeat only what is guarded by a compare.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::Timeout { .. }
                | Self::OutcomeUnknown { .. }
                | Self::DiskFull
                | Self::QuotaReached
                | Self::Moved { .. }
                | Self::Incomplete
                | Self::DiskFailing { .. }
        )
    }

    /// Whether a watch or a paged list with this error must start over with a fresh list.
    pub const fn needs_relist(&self) -> bool {
        matches!(self, Self::Compacted { .. } | Self::FutureRevision { .. })
    }
}
