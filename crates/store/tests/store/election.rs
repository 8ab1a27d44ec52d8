//! One leader at a time, and only its writes.

use std::{sync::Arc, time::Duration};

use nodepanel_store::{Backend, Election, Fault, Lost, MemoryBackend, Transaction};
use tokio::time::timeout;

use crate::harness::{PATIENCE, Subject, key};

fn candidate(backend: &Arc<dyn Backend>, name: &str, ttl: Duration) -> Election {
    Election::new(Arc::clone(backend), "reconciler", name, ttl).unwrap()
}

async fn hands_over_and_fences(store: Subject) {
    let ttl = Duration::from_millis(400);
    let (ann, ben) = (candidate(&store.backend, "ann", ttl), candidate(&store.backend, "ben", ttl));
    let first = ann.try_acquire().await.unwrap().expect("a vacant office");
    assert!(ben.try_acquire().await.unwrap().is_none());
    let holder = ben.holder().await.unwrap().unwrap();
    assert_eq!((holder.name.as_str(), holder.token), ("ann", first.token()));
    store.backend.commit(first.fence(Transaction::new().put(key("/d/1"), "ann"))).await.unwrap();

    // Ann is stalled: nobody keeps her lease alive. Ben waits for it to end.
    let second = timeout(PATIENCE, ben.campaign()).await.unwrap();
    assert!(second.token() > first.token());
    store.backend.commit(second.fence(Transaction::new().put(key("/d/1"), "ben"))).await.unwrap();
    let late = store.backend.commit(first.fence(Transaction::new().put(key("/d/1"), "ann again"))).await;
    assert!(late.unwrap_err().is_conflict());
    assert_eq!(store.value("/d/1").await.as_deref(), Some("ben"));
    let lost = timeout(PATIENCE, first.keep()).await.unwrap();
    assert!(matches!(lost, Lost::Ended | Lost::Unconfirmed));

    // Ben keeps his, and lets go.
    assert!(timeout(ttl * 2, second.keep()).await.is_err(), "a leadership that is kept must last");
    assert!(ann.try_acquire().await.unwrap().is_none());
    second.resign().await.unwrap();
    assert!(ann.try_acquire().await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_hands_over_and_fences() {
    hands_over_and_fences(Subject::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_hands_over_and_fences() {
    hands_over_and_fences(Subject::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_hands_over_and_fences() {
    hands_over_and_fences(Subject::etcd().await).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_recognised_as_a_victory() {
    let memory = MemoryBackend::new();
    let backend: Arc<dyn Backend> = Arc::new(memory.clone());
    let ann = candidate(&backend, "ann", Duration::from_secs(5));
    let lease_survives = async {
        // The grant's own answer gets lost first: that lease runs out unused, and the next try wins.
        memory.fail_next(Fault::LoseAnswer, 1);
        assert!(ann.try_acquire().await.is_err());
        ann.try_acquire().await.unwrap().expect("a vacant office")
    };
    let leadership = lease_survives.await;
    leadership.resign().await.unwrap();

    let lease = backend.lease_grant(Duration::from_secs(5)).await.unwrap();
    memory.fail_next(Fault::LoseAnswer, 1);
    let claim = Transaction::new().put_leased(key("/elections/reconciler"), "ben", lease);
    assert!(backend.commit(claim).await.is_err());
    assert_eq!(ann.holder().await.unwrap().unwrap().name, "ben");
    assert!(ann.try_acquire().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_ask_steps_down_and_campaigns_again() {
    let memory = MemoryBackend::new();
    let backend: Arc<dyn Backend> = Arc::new(memory.clone());
    let ann = candidate(&backend, "ann", Duration::from_secs(5));
    let first = ann.campaign().await;
    memory.fail_always(Fault::Unavailable);
    assert_eq!(first.keep().await, Lost::Unconfirmed);
    let healed = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        memory.heal();
    };
    let (second, ()) = tokio::join!(ann.campaign(), healed);
    assert!(second.token() > first.token());
}
