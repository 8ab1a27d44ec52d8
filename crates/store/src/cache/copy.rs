//! [`Cache`]: the handle of a running copy.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{Changed, Freshness};
use crate::{Revision, StoreError};

/// A running copy of the store. Clones are the same copy; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    feed: JoinHandle<()>,
    freshness: watch::Receiver<Freshness>,
    changes: broadcast::Sender<Changed>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&*self.0.freshness.borrow()).finish()
    }
}

impl Cache {
    pub(super) fn new(
        feed: JoinHandle<()>,
        freshness: watch::Receiver<Freshness>,
        changes: broadcast::Sender<Changed>,
    ) -> Self {
        Self(Arc::new(Inner { feed, freshness, changes }))
    }

    /// How far the copy can be trusted to show the present.
    pub fn freshness(&self) -> Freshness {
        self.0.freshness.borrow().clone()
    }

    /// The revision that is shown; `None` until the first list has arrived.
    pub fn revision(&self) -> Option<Revision> {
        self.0.freshness.borrow().revision
    }

    /// Waits until the first list has arrived; [`StoreError::Timeout`] when it has not after `patience`.
    pub async fn loaded(&self, patience: Duration) -> Result<(), StoreError> {
        self.until(patience, "the first list of the store", Freshness::is_loaded).await
    }

    /// Waits until `revision` shows, so that a writer reads what it has written; [`StoreError::Timeout`] when it does
    /// not within `patience`. The write itself is made either way.
    pub async fn wait_for(&self, revision: Revision, patience: Duration) -> Result<(), StoreError> {
        let shown = |freshness: &Freshness| freshness.revision.is_some_and(|shown| shown >= revision);
        self.until(patience, "the store's own change to come back", shown).await
    }

    /// Every change of every kind from now on. A subscriber that is told it lagged behind must read again.
    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.0.changes.subscribe()
    }

    async fn until(
        &self,
        patience: Duration,
        waiting_for: &'static str,
        condition: impl Fn(&Freshness) -> bool,
    ) -> Result<(), StoreError> {
        let mut freshness = self.0.freshness.clone();
        let outcome = timeout(patience, freshness.wait_for(condition)).await;
        match outcome {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Unavailable { reason: "the copy of the store has stopped".into() }),
            Err(_) => Err(StoreError::Timeout { after: patience, waiting_for }),
        }
    }
}
