//! The records of one kind in memory. Locks are held for a look-up or a write, never across an await.

use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr as _,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use tokio::sync::broadcast;

use super::{Changed, RecordChange, Verb};
use crate::{
    Change, Entry, Key, Prefix, Record, Revision, StoreError, Stored, Unreadable,
    typed::{decode, prefix_of},
};

/// Changes that a slow subscriber may be behind before it is told that it missed some.
pub(super) const BEHIND: usize = 1_024;

/// A table whose kind only its views know.
pub(super) trait Replica: Send + Sync {
    /// Where its records are stored.
    fn prefix(&self) -> &Prefix;

    /// Begins to read a fresh list, page by page, beside what is shown.
    fn restock(self: Arc<Self>) -> Box<dyn Restock>;

    /// Applies one change of `revision`, unless a list has shown it already.
    fn apply(&self, change: &Change, revision: Revision) -> Option<Changed>;
}

/// A fresh list on its way into a table.
pub(super) trait Restock: Send {
    /// Reads a page of it.
    fn add(&mut self, entries: Vec<Entry>);

    /// Shows exactly what was added, which is all there was at `revision`.
    fn show(self: Box<Self>, revision: Revision) -> Vec<Changed>;
}

pub(super) struct Table<R: Record> {
    prefix: Prefix,
    rows: RwLock<Rows<R>>,
    changes: broadcast::Sender<RecordChange<R>>,
}

pub(super) struct Rows<R: Record> {
    pub(super) records: BTreeMap<R::Id, Arc<Stored<R>>>,
    pub(super) unreadable: HashMap<Key, Unreadable>,
    listed_at: Revision,
}

impl<R: Record> Table<R> {
    pub(super) fn new() -> Result<Self, StoreError> {
        let rows = Rows { records: BTreeMap::new(), unreadable: HashMap::new(), listed_at: Revision::ZERO };
        Ok(Self { prefix: prefix_of::<R>()?, rows: RwLock::new(rows), changes: broadcast::Sender::new(BEHIND) })
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Rows<R>> {
        // Every write leaves the rows whole, so a panic elsewhere is no reason to stop serving them.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rows<R>> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<RecordChange<R>> {
        self.changes.subscribe()
    }

    fn id_in(&self, key: &Key) -> Option<R::Id> {
        R::Id::from_str(key.as_str().strip_prefix(self.prefix.as_str())?).ok()
    }

    /// Tells the subscribers of this kind, and gives what those of every kind are to be told.
    fn announce(
        &self,
        id: R::Id,
        old: Option<Arc<Stored<R>>>,
        new: Option<Arc<Stored<R>>>,
        revision: Revision,
    ) -> Option<Changed> {
        let verb = match (&old, &new) {
            (None, None) => return None,
            (None, Some(_)) => Verb::Created,
            (Some(_), Some(_)) => Verb::Updated,
            (Some(_), None) => Verb::Deleted,
        };
        let changed = Changed { kind: R::KIND, id: id.to_string(), verb, revision };
        // Nobody may be listening.
        let _ = self.changes.send(RecordChange { id, old, new, revision });
        Some(changed)
    }

    fn put(&self, entry: &Entry, revision: Revision) -> Option<Changed> {
        match decode::<R>(entry) {
            Ok(stored) => {
                let (id, new) = (stored.record.id(), Arc::new(stored));
                let mut rows = self.write();
                rows.unreadable.remove(&entry.key);
                let old = rows.records.insert(id.clone(), Arc::clone(&new));
                drop(rows);
                self.announce(id, old, Some(new), revision)
            }
            Err(unreadable) => {
                // What was readable before stays: old is better than "does not exist".
                tracing::error!(key = %entry.key, reason = unreadable.reason, "a stored record cannot be read");
                self.write().unreadable.insert(entry.key.clone(), unreadable);
                None
            }
        }
    }

    fn delete(&self, key: &Key, revision: Revision) -> Option<Changed> {
        let mut rows = self.write();
        rows.unreadable.remove(key);
        let id = self.id_in(key)?;
        let old = rows.records.remove(&id);
        drop(rows);
        self.announce(id, old, None, revision)
    }
}

impl<R: Record> Replica for Table<R> {
    fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    fn restock(self: Arc<Self>) -> Box<dyn Restock> {
        let known = self.read().records.clone();
        Box::new(Stock { table: self, known, records: BTreeMap::new(), unreadable: HashMap::new() })
    }

    fn apply(&self, change: &Change, revision: Revision) -> Option<Changed> {
        if revision <= self.read().listed_at {
            return None;
        }
        match change {
            Change::Put(entry) => self.put(entry, revision),
            Change::Delete { key, .. } => self.delete(key, revision),
        }
    }
}

/// A fresh list beside the one that is shown.
struct Stock<R: Record> {
    table: Arc<Table<R>>,
    known: BTreeMap<R::Id, Arc<Stored<R>>>,
    records: BTreeMap<R::Id, Arc<Stored<R>>>,
    unreadable: HashMap<Key, Unreadable>,
}

impl<R: Record> Stock<R> {
    fn add_one(&mut self, entry: &Entry) {
        // What has not changed is kept as it is, so that a second list costs little and announces nothing.
        let kept = self.table.id_in(&entry.key).and_then(|id| self.known.get_key_value(&id));
        if let Some((id, stored)) = kept.filter(|(_, stored)| stored.revision == entry.mod_revision) {
            self.records.insert(id.clone(), Arc::clone(stored));
            return;
        }
        match decode::<R>(entry) {
            Ok(stored) => {
                self.records.insert(stored.record.id(), Arc::new(stored));
            }
            Err(unreadable) => {
                tracing::error!(key = %entry.key, reason = unreadable.reason, "a stored record cannot be read");
                if let Some((id, stored)) = kept {
                    self.records.insert(id.clone(), Arc::clone(stored));
                }
                self.unreadable.insert(entry.key.clone(), unreadable);
            }
        }
    }
}

impl<R: Record> Restock for Stock<R> {
    fn add(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            self.add_one(entry);
        }
    }

    fn show(self: Box<Self>, revision: Revision) -> Vec<Changed> {
        let Self { table, known, records, unreadable } = *self;
        let now = records.clone();
        *table.write() = Rows { records, unreadable, listed_at: revision };
        let gone = known.iter().filter(|(id, _)| !now.contains_key(*id));
        let gone = gone.filter_map(|(id, old)| table.announce(id.clone(), Some(Arc::clone(old)), None, revision));
        let gone: Vec<_> = gone.collect();
        let written = now.into_iter().filter_map(|(id, new)| {
            let old = known.get(&id);
            let same = old.is_some_and(|old| Arc::ptr_eq(old, &new));
            if same { None } else { table.announce(id, old.cloned(), Some(new), revision) }
        });
        gone.into_iter().chain(written).collect()
    }
}
