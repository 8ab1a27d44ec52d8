//! Records in transactions, each guarded by the compare that it needs.

use super::{
    envelope,
    record::{Record, key_of},
};
use crate::{Expected, LeaseId, Revision, StoreError, Transaction};

impl Transaction {
    /// Adds a record that must not exist yet.
    pub fn create<R: Record>(self, record: &R) -> Result<Self, StoreError> {
        let (key, value) = envelope::encode(record)?;
        Ok(self.when(key.clone(), Expected::Absent).put(key, value))
    }

    /// Writes a record that vanishes with `lease`, whether it exists or not.
    pub fn put_leased_record<R: Record>(self, record: &R, lease: LeaseId) -> Result<Self, StoreError> {
        let (key, value) = envelope::encode(record)?;
        Ok(self.put_leased(key, value, lease))
    }

    /// Replaces a record that was read at `revision` and must not have changed since.
    pub fn update<R: Record>(self, record: &R, revision: Revision) -> Result<Self, StoreError> {
        let (key, value) = envelope::encode(record)?;
        Ok(self.when(key.clone(), Expected::Modified(revision)).put(key, value))
    }

    /// Deletes a record that was read at `revision` and must not have changed since.
    pub fn remove<R: Record>(self, id: &R::Id, revision: Revision) -> Result<Self, StoreError> {
        let key = key_of::<R>(id)?;
        Ok(self.when(key.clone(), Expected::Modified(revision)).delete(key))
    }

    /// Requires that a record exists, without changing it: for example the owner of what is created.
    pub fn require<R: Record>(self, id: &R::Id) -> Result<Self, StoreError> {
        Ok(self.when(key_of::<R>(id)?, Expected::Present))
    }

    /// Requires that a record has not changed since it was read at `revision`.
    pub fn require_unchanged<R: Record>(self, id: &R::Id, revision: Revision) -> Result<Self, StoreError> {
        Ok(self.when(key_of::<R>(id)?, Expected::Modified(revision)))
    }
}
