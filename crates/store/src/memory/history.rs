//! Every version of every key, back to the last compaction: the model that a SQLite file must agree with.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    Change, CommitError, Committed, Conflict, Continue, Entry, Key, LeaseId, Operation, Page, Prefix, Revision,
    StoreError, Transaction, WatchBatch,
};

/// Changes that one read of the log delivers at most, except that a revision is never split.
const READ_CHANGES: usize = 2_000;

#[derive(Debug, Default)]
pub(super) struct History {
    revision: Revision,
    compacted: Revision,
    /// The versions of each key in ascending revision; `None` is a deletion.
    keys: BTreeMap<Key, Vec<(Revision, Option<Entry>)>>,
    /// The changes of each revision.
    log: BTreeMap<Revision, Vec<Change>>,
}

impl History {
    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.keys.get(key)?.last()?.1.as_ref()
    }

    fn at(versions: &[(Revision, Option<Entry>)], revision: Revision) -> Option<&Entry> {
        versions.iter().rev().find(|(at, _)| *at <= revision)?.1.as_ref()
    }

    fn reaches(&self, asked: Revision) -> Result<(), StoreError> {
        if asked < self.compacted {
            Err(StoreError::Compacted { asked, oldest: self.compacted })
        } else if asked > self.revision {
            Err(StoreError::FutureRevision { asked, current: self.revision })
        } else {
            Ok(())
        }
    }

    pub(super) fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError> {
        let revision = from.map_or(self.revision, |from| from.at);
        self.reaches(revision)?;
        let limit = limit.max(1);
        let mut entries: Vec<Entry> = self
            .keys
            .iter()
            .filter(|(key, _)| prefix.contains(key) && from.is_none_or(|from| **key > from.after))
            .filter_map(|(_, versions)| Self::at(versions, revision).cloned())
            .take(limit.saturating_add(1))
            .collect();
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more).map(|last| Continue { after: last.key.clone(), at: revision });
        Ok(Page { entries, revision, next })
    }

    pub(super) fn commit(&mut self, transaction: &Transaction) -> Result<Committed, CommitError> {
        for compare in transaction.compares() {
            let actual = self.get(&compare.key);
            if !compare.expected.holds(actual) {
                let conflict =
                    Conflict { key: compare.key.clone(), expected: compare.expected, actual: actual.cloned() };
                return Err(conflict.into());
            }
        }
        let revision = self.revision.next();
        let changes: Vec<Change> = transaction
            .operations()
            .iter()
            .filter_map(|operation| match operation {
                Operation::Put { key, value, lease } => Some(Change::Put(self.written(key, value, *lease, revision))),
                Operation::Delete { key } => {
                    self.get(key).map(|entry| Change::Delete { key: entry.key.clone(), revision })
                }
            })
            .collect();
        self.append(changes);
        Ok(Committed { revision: self.revision })
    }

    fn written(&self, key: &Key, value: &Bytes, lease: Option<LeaseId>, revision: Revision) -> Entry {
        let create_revision = self.get(key).map_or(revision, |entry| entry.create_revision);
        Entry { key: key.clone(), value: value.clone(), create_revision, mod_revision: revision, lease }
    }

    /// Deletes every key under `lease`, in one revision.
    pub(super) fn end_lease(&mut self, lease: LeaseId) {
        let revision = self.revision.next();
        let under_it = |entry: &&Entry| entry.lease == Some(lease);
        let ended = self.keys.values().filter_map(|versions| versions.last()?.1.as_ref().filter(under_it));
        let changes = ended.map(|entry| Change::Delete { key: entry.key.clone(), revision }).collect();
        self.append(changes);
    }

    fn append(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.revision = self.revision.next();
        for change in &changes {
            let entry = match change {
                Change::Put(entry) => Some(entry.clone()),
                Change::Delete { .. } => None,
            };
            self.keys.entry(change.key().clone()).or_default().push((self.revision, entry));
        }
        self.log.insert(self.revision, changes);
    }

    /// See [`crate::tail::ChangeLog::read`].
    pub(super) fn changes(&self, prefix: &Prefix, after: Revision) -> Result<Vec<WatchBatch>, StoreError> {
        self.reaches(after)?;
        let mut batches = Vec::new();
        let mut count = 0;
        for (revision, changes) in self.log.range(after.next()..) {
            if count > READ_CHANGES {
                return Ok(batches);
            }
            let changes: Vec<_> = changes.iter().filter(|change| prefix.contains(change.key())).cloned().collect();
            count += changes.len();
            if !changes.is_empty() {
                batches.push(WatchBatch { revision: *revision, changes });
            }
        }
        if batches.last().is_none_or(|batch| batch.revision < self.revision) {
            batches.push(WatchBatch { revision: self.revision, changes: Vec::new() });
        }
        Ok(batches)
    }

    pub(super) fn compact(&mut self, target: Revision) {
        let target = target.min(self.revision);
        if target <= self.compacted {
            return;
        }
        self.compacted = target;
        self.log = self.log.split_off(&target.next());
        self.keys.retain(|_, versions| {
            // The version that was current at the target is still needed, unless it is a deletion.
            let superseded = versions.iter().filter(|(at, _)| *at <= target).count();
            versions.drain(..superseded.saturating_sub(1));
            if versions.first().is_some_and(|(at, entry)| *at <= target && entry.is_none()) {
                versions.remove(0);
            }
            !versions.is_empty()
        });
    }
}
