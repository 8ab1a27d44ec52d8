//! Between etcd's numbers and ours.
//!
//! An empty etcd is at revision 1 and an empty store at 0, so that ours is one less.

use super::message::{Header, KeyValue};
use crate::{Entry, Key, LeaseId, Revision, StoreError};

pub(super) const fn ours(revision: i64) -> Revision {
    Revision(revision.saturating_sub(1).unsigned_abs())
}

pub(super) const fn theirs(revision: Revision) -> i64 {
    revision.0.cast_signed().saturating_add(1)
}

/// The revision at which something was answered.
pub(super) fn at(header: Option<&Header>) -> Revision {
    header.map_or(Revision::ZERO, |header| ours(header.revision))
}

pub(super) fn key(bytes: &[u8]) -> Result<Key, StoreError> {
    Key::new(String::from_utf8_lossy(bytes))
}

pub(super) fn entry(found: &KeyValue) -> Result<Entry, StoreError> {
    Ok(Entry {
        key: key(&found.key)?,
        value: found.value.clone(),
        create_revision: ours(found.create_revision),
        mod_revision: ours(found.mod_revision),
        lease: (found.lease != 0).then(|| LeaseId(found.lease.cast_unsigned())),
    })
}
