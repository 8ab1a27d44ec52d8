//! The contract that every backend keeps, held by one conformance suite.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{CommitError, Committed, Key, LeaseId, Prefix, Revision, StoreError, Transaction, Watch};

/// A key and its value at some revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value: JSON, as far as the callers are concerned.
    pub value: Bytes,
    /// When the key was created; deleting and creating it again gives a new one.
    pub create_revision: Revision,
    /// When the key was last written.
    pub mod_revision: Revision,
    /// The lease that the key vanishes with.
    pub lease: Option<LeaseId>,
}

/// Where a list goes on, at the revision of its first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continue {
    /// The last key that was already delivered.
    pub after: Key,
    /// The revision of the whole list.
    pub at: Revision,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries in the order of their keys; fewer than asked for when they are large.
    pub entries: Vec<Entry>,
    /// The revision that the whole list shows. Watching after it misses nothing.
    pub revision: Revision,
    /// What to pass for the next page; `None` at the end.
    pub next: Option<Continue>,
}

/// A versioned store. Callers hold an `Arc<dyn Backend>`.
///
/// Every method has a deadline of its own and may be dropped at any time; a dropped `commit` may still be made.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The present revision: also the cheapest proof that the store answers.
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// The newest revision that anybody has committed, told cheaply enough to be asked before every read: whatever was
    /// acknowledged before the call is in it. `None` when it cannot be told soon.
    async fn newest(&self) -> Option<Revision>;

    /// One entry, or `None` when the key does not exist.
    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError>;

    /// At most `limit` entries under `prefix`, in the order of their keys. Every page shows the revision of the
    /// first one; [`StoreError::Compacted`] when that is gone.
    async fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError>;

    /// Commits a transaction, which is durable when this returns `Ok`.
    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError>;

    /// Every change under `prefix` after the revision `after`. An idle watch says so about once a second with an
    /// empty batch. [`StoreError::Compacted`], here or later in the stream, when the reader must list again.
    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError>;

    /// A new lease that lasts `ttl` unless it is kept alive. It never ends early, and may end a little late.
    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError>;

    /// Starts the lease's time again; [`StoreError::LeaseNotFound`] when it has ended.
    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError>;

    /// Ends a lease and deletes the keys under it. Fine when it has ended already.
    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError>;
}

/// How many entries one request of a whole list asks for.
const PAGE: usize = 1_000;
/// How often a whole list starts over when its revision is compacted while it is read.
const RELISTS: usize = 3;

/// Every entry under `prefix` at one revision, in the order of their keys.
pub async fn list_all(backend: &Arc<dyn Backend>, prefix: &Prefix) -> Result<(Vec<Entry>, Revision), StoreError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match collect(backend, prefix).await {
            Err(error) if error.needs_relist() && tries < RELISTS => {}
            outcome => return outcome,
        }
    }
}

async fn collect(backend: &Arc<dyn Backend>, prefix: &Prefix) -> Result<(Vec<Entry>, Revision), StoreError> {
    let mut pages = Pages::new(backend, prefix);
    let mut entries = Vec::new();
    while let Some(mut page) = pages.next().await? {
        entries.append(&mut page);
    }
    Ok((entries, pages.revision()))
}

/// A whole list at one revision, page by page.
pub(crate) struct Pages<'a> {
    backend: &'a Arc<dyn Backend>,
    prefix: &'a Prefix,
    last: Option<Page>,
}

impl<'a> Pages<'a> {
    pub(crate) const fn new(backend: &'a Arc<dyn Backend>, prefix: &'a Prefix) -> Self {
        Self { backend, prefix, last: None }
    }

    /// The entries of the next page; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        let from = match &self.last {
            None => None,
            Some(Page { next: None, .. }) => return Ok(None),
            Some(Page { next: Some(from), .. }) => Some(from),
        };
        let mut page = self.backend.list(self.prefix, PAGE, from).await?;
        let entries = std::mem::take(&mut page.entries);
        self.last = Some(page);
        Ok(Some(entries))
    }

    /// The revision that every page shows.
    pub(crate) fn revision(&self) -> Revision {
        self.last.as_ref().map_or(Revision::ZERO, |page| page.revision)
    }
}
