//! The memory backend's faults: a test that relies on them relies on these.

use std::time::Duration;

use futures_util::StreamExt as _;
use nodepanel_store::{
    Backend, CommitError, Expected, Fault, MemoryBackend, Prefix, Revision, StoreError, Transaction,
};
use tokio::time::Instant;

use crate::harness::key;

fn put() -> Transaction {
    Transaction::new().when(key("/a/1"), Expected::Absent).put(key("/a/1"), "x")
}

#[tokio::test(start_paused = true)]
async fn faults_happen_as_often_as_asked_and_in_order() {
    let store = MemoryBackend::new();
    store.fail_next(Fault::Unavailable, 2);
    store.fail_next(Fault::Conflict, 1);
    store.fail_next(Fault::DiskFull, 1);
    store.fail_next(Fault::LoseAnswer, 1);
    for _ in 0..2 {
        let error = store.commit(put()).await.unwrap_err();
        assert!(matches!(error, CommitError::Store(StoreError::Unavailable { .. })));
    }
    assert!(store.commit(put()).await.unwrap_err().is_conflict());
    assert_eq!(store.get(&key("/a/1")).await, Ok(None));
    assert_eq!(store.commit(put()).await, Err(StoreError::DiskFull.into()));
    assert_eq!(store.revision().await, Ok(Revision::ZERO));
    let lost = store.commit(put()).await.unwrap_err();
    assert!(matches!(lost, CommitError::Store(StoreError::OutcomeUnknown { .. })));
    // Committed all the same: a repetition meets its own write.
    assert!(store.commit(put()).await.unwrap_err().is_conflict());
    assert!(store.get(&key("/a/1")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_watches_and_heals() {
    let store = MemoryBackend::new();
    let mut watch = store.watch(&Prefix::everything(), Revision::ZERO).await.unwrap();
    assert!(watch.next().await.unwrap().unwrap().changes.is_empty());
    store.fail_always(Fault::Unavailable);
    assert!(matches!(watch.next().await, Some(Err(StoreError::Unavailable { .. }))));
    assert!(watch.next().await.is_none());
    assert!(store.watch(&Prefix::everything(), Revision::ZERO).await.is_err());
    store.heal();
    assert!(store.revision().await.is_ok());
    store.fail_always(Fault::Slow(Duration::from_secs(3)));
    let begun = Instant::now();
    store.commit(put()).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}
