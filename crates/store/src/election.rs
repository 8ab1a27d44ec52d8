//! Leader election with fencing.
//!
//! A leader is whoever created `/elections/NAME` under a lease. The key's create revision is the fencing token: it
//! only ever grows from leader to leader, and a transaction that compares it cannot be committed by a former
//! leader, however late it wakes up. A lease alone does not give that: its holder can be asleep when it ends.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};

use crate::{Backend, Change, CommitError, Entry, Expected, Key, LeaseId, Prefix, Revision, StoreError, Transaction};

/// An office that at most one process holds at a time.
#[derive(Clone)]
pub struct Election {
    backend: Arc<dyn Backend>,
    key: Key,
    folder: Prefix,
    candidate: String,
    ttl: Duration,
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Election({} for {})", self.candidate, self.key)
    }
}

/// Who leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The name that it stood for election with.
    pub name: String,
    /// Its fencing token.
    pub token: Revision,
}

impl Election {
    /// Stands `candidate` for the office `name`. A leader that is silent for `ttl` loses it.
    pub fn new(
        backend: Arc<dyn Backend>,
        name: &str,
        candidate: impl Into<String>,
        ttl: Duration,
    ) -> Result<Self, StoreError> {
        let key = Key::new(format!("/elections/{name}"))?;
        Ok(Self { backend, key, folder: Prefix::new("/elections/")?, candidate: candidate.into(), ttl })
    }

    /// Who leads at present.
    pub async fn holder(&self) -> Result<Option<Holder>, StoreError> {
        let entry = self.backend.get(&self.key).await?;
        Ok(entry.map(|entry| Holder {
            name: String::from_utf8_lossy(&entry.value).into_owned(),
            token: entry.create_revision,
        }))
    }

    /// Takes the office if it is vacant; `None` when somebody else has it.
    pub async fn try_acquire(&self) -> Result<Option<Leadership>, StoreError> {
        if self.backend.get(&self.key).await?.is_some() {
            return Ok(None);
        }
        let asked = Instant::now();
        let lease = self.backend.lease_grant(self.ttl).await?;
        let claim = Transaction::new().when(self.key.clone(), Expected::Absent).put_leased(
            self.key.clone(),
            self.candidate.clone(),
            lease,
        );
        let outcome = match self.backend.commit(claim).await {
            Ok(committed) => Ok(Some(committed.revision)),
            // A repeated or lost write may have been ours.
            Err(CommitError::Conflict(conflict)) => Ok(token_under(conflict.actual.as_ref(), lease)),
            Err(CommitError::Store(StoreError::OutcomeUnknown { .. })) => {
                self.backend.get(&self.key).await.map(|entry| token_under(entry.as_ref(), lease))
            }
            Err(CommitError::Store(error)) => Err(error),
        };
        match outcome {
            Ok(Some(token)) => Ok(Some(Leadership {
                backend: Arc::clone(&self.backend),
                key: self.key.clone(),
                lease,
                token,
                ttl: self.ttl,
                confirmed: Mutex::new(asked),
            })),
            other => {
                // If this fails too, the lease ends by itself.
                let _ = self.backend.lease_revoke(lease).await;
                other.map(|_| None)
            }
        }
    }

    /// Waits until the office is taken, through outages too. May be dropped at any time.
    pub async fn campaign(&self) -> Leadership {
        loop {
            let outcome = async {
                let before = self.backend.revision().await?;
                match self.try_acquire().await? {
                    None => self.vacancy(before).await.map(|()| None),
                    some => Ok(some),
                }
            };
            match outcome.await {
                Ok(Some(leadership)) => return leadership,
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(election = %self.key, %error, "standing for election again shortly");
                    sleep(self.ttl / 4).await;
                }
            }
        }
    }

    /// Waits until the key is deleted, but not longer than a lease lasts: then it is worth another look.
    async fn vacancy(&self, since: Revision) -> Result<(), StoreError> {
        let mut watch = self.backend.watch(&self.folder, since).await?;
        let vacated = async {
            while let Some(batch) = watch.next().await {
                if batch?.changes.iter().any(|change| matches!(change, Change::Delete { key, .. } if *key == self.key))
                {
                    break;
                }
            }
            Ok(())
        };
        timeout(self.ttl, vacated).await.unwrap_or(Ok(()))
    }
}

fn token_under(entry: Option<&Entry>, lease: LeaseId) -> Option<Revision> {
    entry.filter(|entry| entry.lease == Some(lease)).map(|entry| entry.create_revision)
}

/// Why a leadership ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The store says that the lease or the key is gone; somebody else may lead already.
    #[error("the store ended the leadership")]
    Ended,
    /// The store did not confirm the lease for as long as it lasts, so that nothing can be relied upon.
    #[error("the store did not confirm the leadership in time")]
    Unconfirmed,
}

/// An office that is held. Dropping it lets the lease run out; [`Leadership::resign`] vacates it at once.
pub struct Leadership {
    backend: Arc<dyn Backend>,
    key: Key,
    lease: LeaseId,
    token: Revision,
    ttl: Duration,
    /// When the last request was sent that the store confirmed the lease with.
    confirmed: Mutex<Instant>,
}

impl fmt::Debug for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leadership({} since {})", self.key, self.token)
    }
}

impl Leadership {
    /// The fencing token: bigger than that of every leader before.
    pub const fn token(&self) -> Revision {
        self.token
    }

    /// Makes a transaction fail with a conflict unless this leadership still stands when it is committed.
    pub fn fence(&self, transaction: Transaction) -> Transaction {
        transaction.when(self.key.clone(), Expected::Created(self.token))
    }

    /// Keeps the lease alive and returns when the leadership is lost. Run it beside the leader's work, and stop
    /// that work when it returns.
    pub async fn keep(&self) -> Lost {
        let mut doubted = false;
        loop {
            let left = (self.confirmed() + self.ttl).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Lost::Unconfirmed;
            }
            let asked = Instant::now();
            let pause = match timeout(left, self.renew()).await {
                Ok(Ok(true)) => {
                    *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
                    doubted = false;
                    self.ttl / 3
                }
                Ok(Ok(false) | Err(StoreError::LeaseNotFound { .. })) => return Lost::Ended,
                Ok(Err(error)) => {
                    // Said once, not at every try of a long outage.
                    if !std::mem::replace(&mut doubted, true) {
                        tracing::warn!(election = %self.key, %error, "the leadership could not be confirmed");
                    }
                    self.ttl / 20
                }
                Err(_) => continue,
            };
            sleep(pause).await;
        }
    }

    /// Vacates the office at once.
    pub async fn resign(self) -> Result<(), StoreError> {
        self.backend.lease_revoke(self.lease).await
    }

    async fn renew(&self) -> Result<bool, StoreError> {
        self.backend.lease_keep_alive(self.lease).await?;
        let entry = self.backend.get(&self.key).await?;
        Ok(entry.is_some_and(|entry| entry.create_revision == self.token))
    }

    fn confirmed(&self) -> Instant {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
