//! Compare-and-swap transactions: every compare holds and every operation is applied, or nothing is.

use std::{collections::HashSet, fmt};

use bytes::Bytes;

use crate::{Entry, Key, LeaseId, Revision, StoreError};

/// What a transaction may contain. The numbers are etcd's, so that every backend can honour them.
pub mod limits {
    /// The largest value, in bytes.
    pub const VALUE_BYTES: usize = 1024 * 1024;
    /// The largest sum of keys and values in a transaction, in bytes.
    pub const TRANSACTION_BYTES: usize = 1_400_000;
    /// The most compares, and the most operations, in a transaction.
    pub const OPERATIONS: usize = 128;
}

/// What a compare expects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The key does not exist.
    Absent,
    /// The key exists.
    Present,
    /// The key exists and was last written at this revision.
    Modified(Revision),
    /// The key exists and was created at this revision; later writes do not matter. The fencing token of a leader.
    Created(Revision),
}

impl Expected {
    /// Whether `actual` is what was expected.
    pub fn holds(self, actual: Option<&Entry>) -> bool {
        match (self, actual) {
            (Self::Absent, None) | (Self::Present, Some(_)) => true,
            (Self::Modified(revision), Some(entry)) => entry.mod_revision == revision,
            (Self::Created(revision), Some(entry)) => entry.create_revision == revision,
            (Self::Absent, Some(_)) | (_, None) => false,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("to be absent"),
            Self::Present => f.write_str("to exist"),
            Self::Modified(revision) => write!(f, "to be unchanged since revision {revision}"),
            Self::Created(revision) => write!(f, "to be the one created at revision {revision}"),
        }
    }
}

/// A condition of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// The key that is looked at.
    pub key: Key,
    /// What it must be like.
    pub expected: Expected,
}

/// A change that a transaction makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Writes a key, whether it exists or not.
    Put {
        /// The key.
        key: Key,
        /// The new value.
        value: Bytes,
        /// The lease that the key lives under from now on; `None` takes it out of any lease.
        lease: Option<LeaseId>,
    },
    /// Removes a key; does nothing when it does not exist.
    Delete {
        /// The key.
        key: Key,
    },
}

impl Operation {
    /// The key that is changed.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

/// Compares and operations that are committed together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a transaction does nothing until it is committed"]
pub struct Transaction {
    pub(crate) compares: Vec<Compare>,
    pub(crate) operations: Vec<Operation>,
    /// How many of the compares are not the caller's.
    pub(crate) house: usize,
}

impl Transaction {
    /// An empty transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    pub fn when(mut self, key: Key, expected: Expected) -> Self {
        self.compares.push(Compare { key, expected });
        self
    }

    /// Adds a write.
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Self {
        self.operations.push(Operation::Put { key, value: value.into(), lease: None });
        self
    }

    /// Adds a write of a key that vanishes with `lease`.
    pub fn put_leased(mut self, key: Key, value: impl Into<Bytes>, lease: LeaseId) -> Self {
        self.operations.push(Operation::Put { key, value: value.into(), lease: Some(lease) });
        self
    }

    /// Adds a deletion.
    pub fn delete(mut self, key: Key) -> Self {
        self.operations.push(Operation::Delete { key });
        self
    }

    /// The conditions, in the order in which they were added.
    pub fn compares(&self) -> &[Compare] {
        &self.compares
    }

    /// The changes, in the order in which they were added.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Adds the conditions of the house, which are told before any other and beside the limits: that none of `signs`
    /// exists.
    pub(crate) fn at_home<const N: usize>(mut self, signs: [Key; N]) -> Self {
        let absent = signs.map(|key| Compare { key, expected: Expected::Absent });
        self.compares.splice(0..0, absent);
        self.house = N;
        self
    }

    /// Refuses what some backend could not commit. Every backend calls this first.
    pub fn validate(&self) -> Result<(), StoreError> {
        let counts = [
            ("the number of compares", self.compares.len() - self.house),
            ("the number of operations", self.operations.len()),
        ];
        for (what, actual) in counts {
            within(what, actual, limits::OPERATIONS)?;
        }
        let mut seen = HashSet::with_capacity(self.operations.len());
        let mut total = 0;
        for operation in &self.operations {
            if !seen.insert(operation.key()) {
                return Err(StoreError::DuplicateKey { key: operation.key().clone() });
            }
            total += operation.key().as_str().len();
            if let Operation::Put { value, .. } = operation {
                within("a value in bytes", value.len(), limits::VALUE_BYTES)?;
                total += value.len();
            }
        }
        within("a transaction in bytes", total, limits::TRANSACTION_BYTES)
    }
}

const fn within(what: &'static str, actual: usize, limit: usize) -> Result<(), StoreError> {
    if actual > limit { Err(StoreError::TooLarge { what, actual, limit }) } else { Ok(()) }
}

/// A transaction was committed: it is on disk (on a quorum of disks when clustered).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The revision of every change in it. A transaction that changed nothing has the store's present revision.
    pub revision: Revision,
}

/// A compare did not hold, so nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} was expected {expected}, and {}; nothing was written", found(.actual.as_ref()))]
pub struct Conflict {
    /// The first key whose compare did not hold.
    pub key: Key,
    /// What was expected of it.
    pub expected: Expected,
    /// What is there instead.
    pub actual: Option<Entry>,
}

fn found(actual: Option<&Entry>) -> String {
    match actual {
        None => "it does not exist".into(),
        Some(entry) => {
            format!("it was created at revision {} and last changed at {}", entry.create_revision, entry.mod_revision)
        }
    }
}

/// Why a transaction was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A compare did not hold. Somebody else was faster; read again and decide again.
    #[error(transparent)]
    Conflict(Box<Conflict>),
    /// The store failed. See [`StoreError::OutcomeUnknown`] for the one case where something may be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommitError {
    /// Whether a compare did not hold.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }
}

impl From<Conflict> for CommitError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(Box::new(conflict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        Key::new(format!("/t/{n}")).unwrap()
    }

    #[test]
    fn limits_are_checked_before_any_backend_sees_the_transaction() {
        let too_big = Transaction::new().put(key(1), vec![0; limits::VALUE_BYTES + 1]);
        assert!(matches!(too_big.validate(), Err(StoreError::TooLarge { .. })));
        let half = vec![0; limits::VALUE_BYTES * 3 / 4];
        let too_much = Transaction::new().put(key(1), half.clone()).put(key(2), half);
        assert!(matches!(too_much.validate(), Err(StoreError::TooLarge { .. })));
        let twice = Transaction::new().put(key(1), "a").delete(key(1));
        assert_eq!(twice.validate(), Err(StoreError::DuplicateKey { key: key(1) }));
        let many = (0..=limits::OPERATIONS).fold(Transaction::new(), |t, n| t.delete(key(n)));
        assert!(matches!(many.validate(), Err(StoreError::TooLarge { .. })));
        let full = (0..limits::OPERATIONS).fold(Transaction::new(), |t, n| t.delete(key(n)));
        assert_eq!(full.validate(), Ok(()));
    }
}
