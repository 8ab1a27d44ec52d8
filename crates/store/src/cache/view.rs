//! Reading one kind of record from a cache.

use std::{fmt, ops::Bound, sync::Arc};

use tokio::sync::broadcast;

use super::{RecordChange, table::Table};
use crate::{Record, Stored, Unreadable};

/// The records of one kind, as the cache knows them. Cheap to clone and to read; empty until the cache is loaded.
///
/// A transaction that changes several kinds shows in one view after the other, within microseconds.
pub struct View<R: Record>(pub(super) Arc<Table<R>>);

impl<R: Record> Clone for View<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Record> fmt::Debug for View<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({} of {})", self.len(), R::KIND)
    }
}

impl<R: Record> View<R> {
    /// The record with this id.
    pub fn get(&self, id: &R::Id) -> Option<Arc<Stored<R>>> {
        self.0.read().records.get(id).cloned()
    }

    /// Every record, in the order of the ids.
    pub fn all(&self) -> Vec<Arc<Stored<R>>> {
        self.0.read().records.values().cloned().collect()
    }

    /// At most `limit` records whose ids come after `after`, in the order of the ids.
    pub fn page(&self, after: Option<&R::Id>, limit: usize) -> Vec<Arc<Stored<R>>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.0
            .read()
            .records
            .range((start, Bound::Unbounded))
            .take(limit)
            .map(|(_, stored)| Arc::clone(stored))
            .collect()
    }

    /// The records for which `wanted` holds. It runs under a lock: it must be quick and must not read this view.
    pub fn filter(&self, mut wanted: impl FnMut(&R) -> bool) -> Vec<Arc<Stored<R>>> {
        self.0.read().records.values().filter(|stored| wanted(&stored.record)).cloned().collect()
    }

    /// The first record for which `wanted` holds. It runs under a lock: it must be quick and must not read this view.
    pub fn find(&self, mut wanted: impl FnMut(&R) -> bool) -> Option<Arc<Stored<R>>> {
        self.0.read().records.values().find(|stored| wanted(&stored.record)).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.read().records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records that exist and cannot be read by this program. Whoever deletes what nothing refers to must not act
    /// while there are any.
    pub fn unreadable(&self) -> Vec<Unreadable> {
        self.0.read().unreadable.values().cloned().collect()
    }

    /// Every change from now on. A subscriber that is told it lagged behind must read the view again.
    pub fn subscribe(&self) -> broadcast::Receiver<RecordChange<R>> {
        self.0.subscribe()
    }
}
