//! The way from one control plane to the store: it takes time, and answers are lost on it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use nodepanel_store::{
    Backend, CommitError, Committed, Continue, Entry, Key, LeaseId, MemoryBackend, Page, Prefix, Revision, StoreError,
    Transaction, Watch,
};

use crate::{chance::Chance, life::Life, story::Teller};

/// The store as one control plane has it.
pub struct Way {
    pub store: Arc<MemoryBackend>,
    pub life: Life,
    pub chance: Chance,
    pub teller: Teller,
    /// Whether answers may be lost; not while things settle.
    pub lossy: tokio::sync::watch::Receiver<bool>,
}

impl Way {
    async fn go(&self) {
        self.life.pass().await;
        // Now and then the store's disk is slow.
        if *self.lossy.borrow() && self.chance.once_in(50) {
            self.chance.pause(100, 2_500).await;
        }
        self.chance.pause(0, 5).await;
        self.life.pass().await;
    }

    fn loses(&self) -> bool {
        *self.lossy.borrow() && self.chance.once_in(60)
    }
}

#[async_trait]
impl Backend for Way {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.go().await;
        self.store.revision().await
    }

    async fn newest(&self) -> Option<Revision> {
        self.store.newest().await
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.go().await;
        let answer = self.store.get(key).await;
        self.go().await;
        answer
    }

    async fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError> {
        // The cache reads lists on another thread, and simulated time stands still until that is done.
        self.store.list(prefix, limit, from).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        self.go().await;
        if self.loses() {
            self.teller.tell("store refused", "a commit did not reach the store");
            return Err(StoreError::Unavailable { reason: "lost on its way".to_owned() }.into());
        }
        let outcome = self.store.commit(transaction).await;
        self.go().await;
        if outcome.is_ok() && self.loses() {
            self.teller.tell("answers lost", "the answer to a commit was lost");
            return Err(StoreError::OutcomeUnknown { reason: "lost on its way back".to_owned() }.into());
        }
        outcome
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.go().await;
        self.store.watch(prefix, after).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.go().await;
        self.store.lease_grant(ttl).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.go().await;
        self.store.lease_keep_alive(lease).await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.go().await;
        self.store.lease_revoke(lease).await
    }
}
