//! One kind of record in the store. Writes are compared; reads come from the store itself, not from a cache.

use std::{fmt, marker::PhantomData, sync::Arc};

use super::{
    envelope,
    record::{Record, Stored, Unreadable, key_of, prefix_of},
};
use crate::{Backend, CommitError, Revision, StoreError, Transaction, list_all};

/// Reads and writes the records of one kind.
pub struct Repository<R> {
    backend: Arc<dyn Backend>,
    kind: PhantomData<fn() -> R>,
}

impl<R> Clone for Repository<R> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), kind: PhantomData }
    }
}

impl<R: Record> fmt::Debug for Repository<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository(/{}/)", R::KIND)
    }
}

/// Every record of a kind at one revision.
#[derive(Debug, Clone)]
pub struct Listing<R> {
    /// The records in the order of their keys.
    pub records: Vec<Stored<R>>,
    /// What is there and cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// The revision that all of it shows.
    pub revision: Revision,
}

impl<R: Record> Repository<R> {
    /// The records of this kind in `backend`.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, kind: PhantomData }
    }

    /// One record; `None` only when it does not exist, [`StoreError::Unreadable`] when it does and cannot be read.
    pub async fn get(&self, id: &R::Id) -> Result<Option<Stored<R>>, StoreError> {
        let Some(entry) = self.backend.get(&key_of::<R>(id)?).await? else { return Ok(None) };
        match envelope::decode(&entry) {
            Ok(stored) => Ok(Some(stored)),
            Err(Unreadable { key, reason, .. }) => Err(StoreError::Unreadable { key, reason }),
        }
    }

    /// Every record.
    pub async fn list(&self) -> Result<Listing<R>, StoreError> {
        let (entries, revision) = list_all(&self.backend, &prefix_of::<R>()?).await?;
        let mut listing = Listing { records: Vec::with_capacity(entries.len()), unreadable: Vec::new(), revision };
        for entry in &entries {
            match envelope::decode(entry) {
                Ok(stored) => listing.records.push(stored),
                Err(unreadable) => listing.unreadable.push(unreadable),
            }
        }
        Ok(listing)
    }

    /// Stores a record that must not exist yet; answers its revision.
    pub async fn create(&self, record: &R) -> Result<Revision, CommitError> {
        self.commit(Transaction::new().create(record)?).await
    }

    /// Replaces a record that was read at `revision`; answers its new revision.
    pub async fn update(&self, record: &R, revision: Revision) -> Result<Revision, CommitError> {
        self.commit(Transaction::new().update(record, revision)?).await
    }

    /// Deletes a record that was read at `revision`; answers the revision of the deletion.
    pub async fn delete(&self, id: &R::Id, revision: Revision) -> Result<Revision, CommitError> {
        self.commit(Transaction::new().remove::<R>(id, revision)?).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Revision, CommitError> {
        Ok(self.backend.commit(transaction).await?.revision)
    }
}
