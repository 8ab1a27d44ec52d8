//! [`MemoryBackend`]: [`History`] behind the [`Backend`] trait, with leases on tokio's clock and faults.
//!
//! Time is tokio's, so a test that pauses it decides when leases end. Leases are ended by whoever looks next:
//! there is no task in the background.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::watch, time::Instant};

use super::{
    fault::{Fault, Faults},
    history::History,
};
use crate::{
    Backend, CommitError, Committed, Conflict, Continue, Entry, Expected, Key, LeaseId, Operation, Page, Prefix,
    Revision, StoreError, Transaction, Watch, WatchBatch,
    tail::{self, ChangeLog},
};

/// A store in memory. Clones are the same store.
#[derive(Debug, Clone)]
pub struct MemoryBackend {
    state: Arc<Mutex<State>>,
    /// The revision, and how many times the faults were changed: both wake watches.
    head: watch::Sender<(Revision, u64)>,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    leases: BTreeMap<LeaseId, Lease>,
    last_lease: u64,
    faults: Faults,
}

#[derive(Debug)]
struct Lease {
    ttl: Duration,
    deadline: Instant,
}

impl State {
    fn expire(&mut self) {
        let now = Instant::now();
        while let Some(lease) = self.leases.iter().find(|(_, lease)| lease.deadline <= now).map(|(id, _)| *id) {
            self.leases.remove(&lease);
            self.history.end_lease(lease);
        }
    }
}

impl Default for MemoryBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBackend {
    /// An empty store.
    pub fn new() -> Self {
        Self { state: Arc::default(), head: watch::Sender::new((Revision::ZERO, 0)) }
    }

    /// Makes the next `times` requests that `fault` concerns go wrong. Faults are met in the order of these calls.
    pub fn fail_next(&self, fault: Fault, times: usize) {
        self.change_faults(|faults| faults.push(fault, times));
    }

    /// Makes every request that `fault` concerns go wrong until [`MemoryBackend::heal`]; open watches too, if it is
    /// [`Fault::Unavailable`].
    pub fn fail_always(&self, fault: Fault) {
        self.change_faults(|faults| faults.set_lasting(Some(fault)));
    }

    /// Removes every fault.
    pub fn heal(&self) {
        self.change_faults(Faults::clear);
    }

    /// Gives up history up to `target`.
    pub fn compact(&self, target: Revision) {
        self.lock().history.compact(target);
    }

    fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
        self.head.send_modify(|(_, changes)| *changes += 1);
    }

    /// The state, with every lease ended whose time is over. A panic elsewhere leaves nothing half done in it.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.expire();
        let revision = state.history.revision();
        self.head.send_if_modified(|(head, _)| std::mem::replace(head, revision) != revision);
        state
    }

    /// Meets the fault of a read.
    async fn read(&self) -> Result<(), StoreError> {
        let fault = self.lock().faults.take(|fault| matches!(fault, Fault::Unavailable | Fault::Slow(_)));
        self.suffer(fault).await
    }

    /// Meets the fault of a write; true when its answer must be lost.
    async fn write(&self) -> Result<bool, StoreError> {
        let fault = self.lock().faults.take(|fault| fault != Fault::Conflict);
        self.suffer(fault).await?;
        Ok(fault == Some(Fault::LoseAnswer))
    }

    async fn suffer(&self, fault: Option<Fault>) -> Result<(), StoreError> {
        match fault {
            Some(Fault::Unavailable) => Err(unavailable()),
            Some(Fault::DiskFull) => Err(StoreError::DiskFull),
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            Some(Fault::Conflict | Fault::LoseAnswer) | None => Ok(()),
        }
    }

    /// The fault of a commit that has to lose against an imagined rival.
    fn conflict_on_demand(&self, transaction: &Transaction) -> Option<Conflict> {
        let mut state = self.lock();
        state.faults.take(|fault| fault == Fault::Conflict)?;
        invented_conflict(transaction, &state.history)
    }

    /// Runs a write and publishes its revision.
    fn apply<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let outcome = work(&mut state);
        let revision = state.history.revision();
        drop(state);
        self.head.send_if_modified(|(head, _)| std::mem::replace(head, revision.max(*head)) < revision);
        outcome
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: "made to fail by a test".into() }
}

fn lost() -> StoreError {
    StoreError::OutcomeUnknown { reason: "made to lose its answer by a test".into() }
}

/// What a conflict on demand looks like: the first compare, or the first key that would be written.
fn invented_conflict(transaction: &Transaction, history: &History) -> Option<Conflict> {
    let compared = transaction.compares().first().map(|compare| (compare.key.clone(), compare.expected));
    let written = || transaction.operations().first().map(|operation| (operation.key().clone(), Expected::Present));
    let (key, expected) = compared.or_else(written)?;
    let actual = history.get(&key).cloned();
    Some(Conflict { key, expected, actual })
}

#[async_trait]
impl Backend for MemoryBackend {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.read().await?;
        Ok(self.lock().history.revision())
    }

    async fn newest(&self) -> Option<Revision> {
        let state = self.lock();
        (!state.faults.is_out()).then(|| state.history.revision())
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.read().await?;
        Ok(self.lock().history.get(key).cloned())
    }

    async fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError> {
        self.read().await?;
        self.lock().history.list(prefix, limit, from)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        transaction.validate()?;
        let conflict = self.conflict_on_demand(&transaction);
        if let Some(conflict) = conflict {
            return Err(conflict.into());
        }
        let lose_answer = self.write().await?;
        let committed = self.apply(|state| {
            // As in SQLite: a conflict is told before a lease that is missing.
            let dead = transaction.operations().iter().find_map(|operation| match operation {
                Operation::Put { lease: Some(lease), .. } if !state.leases.contains_key(lease) => Some(*lease),
                _ => None,
            });
            match dead {
                None => state.history.commit(&transaction),
                Some(lease) => {
                    let compares = Transaction { operations: Vec::new(), ..transaction.clone() };
                    state.history.commit(&compares)?;
                    Err(StoreError::LeaseNotFound { lease }.into())
                }
            }
        })?;
        if lose_answer { Err(lost().into()) } else { Ok(committed) }
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.read().await?;
        tail::follow(Log(self.clone()), prefix.clone(), after).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        let lose_answer = self.write().await?;
        let lease = self.apply(|state| {
            state.last_lease += 1;
            let lease = LeaseId(state.last_lease);
            state.leases.insert(lease, Lease { ttl, deadline: Instant::now() + ttl });
            lease
        });
        // Watches sleep until the next lease ends, which may now be sooner.
        self.head.send_modify(|(_, changes)| *changes += 1);
        if lose_answer { Err(lost()) } else { Ok(lease) }
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        let lose_answer = self.write().await?;
        self.apply(|state| match state.leases.get_mut(&lease) {
            None => Err(StoreError::LeaseNotFound { lease }),
            Some(found) => {
                found.deadline = Instant::now() + found.ttl;
                Ok(())
            }
        })?;
        if lose_answer { Err(lost()) } else { Ok(()) }
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        let lose_answer = self.write().await?;
        self.apply(|state| {
            state.leases.remove(&lease);
            state.history.end_lease(lease);
        });
        if lose_answer { Err(lost()) } else { Ok(()) }
    }
}

/// One watch's view of the store.
struct Log(MemoryBackend);

#[async_trait]
impl ChangeLog for Log {
    async fn read(&self, prefix: &Prefix, after: Revision) -> Result<Vec<WatchBatch>, StoreError> {
        let state = self.0.lock();
        if state.faults.is_out() { Err(unavailable()) } else { state.history.changes(prefix, after) }
    }

    async fn grown(&self, revision: Revision) {
        let mut head = self.0.head.subscribe();
        loop {
            let next_lease = {
                let state = self.0.lock();
                if state.faults.is_out() || state.history.revision() > revision {
                    return;
                }
                state.leases.values().map(|lease| lease.deadline).min()
            };
            let lease_ends = async {
                match next_lease {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            // A lost wake-up is impossible: `head` was subscribed before the state was looked at.
            tokio::select! {
                () = lease_ends => {}
                _ = head.changed() => {}
            }
        }
    }
}
