//! A move from one store to another, interrupted everywhere.

use std::{sync::Arc, time::Duration};

use nodepanel_store::{
    Backend, Expected, Fault, Housed, MemoryBackend, Move, MoveError, MoveStep, StoreError, Transaction, move_all,
    moved,
};

use crate::harness::{Subject, key};

fn this_move() -> Move {
    Move { id: "m1".to_owned(), to: "a cluster".to_owned() }
}

/// Some entries, one of them large and one under a lease; returns what is to arrive.
async fn furnish(store: &Arc<dyn Backend>) -> Vec<(String, usize)> {
    for n in 0..250 {
        store.commit(Transaction::new().put(key(&format!("/s/{n:03}")), format!("value {n}"))).await.unwrap();
    }
    store.commit(Transaction::new().put(key("/s/000"), "changed").delete(key("/s/001"))).await.unwrap();
    store.commit(Transaction::new().put(key("/big/1"), vec![b'x'; 900_000])).await.unwrap();
    store.commit(Transaction::new().put(key("/big/2"), vec![b'x'; 900_000])).await.unwrap();
    let arrives = content(store).await;
    let lease = store.lease_grant(Duration::from_secs(60)).await.unwrap();
    store.commit(Transaction::new().put_leased(key("/elections/x"), "me", lease)).await.unwrap();
    arrives
}

async fn content(store: &Arc<dyn Backend>) -> Vec<(String, usize)> {
    let (entries, _) = nodepanel_store::list_all(store, &nodepanel_store::Prefix::everything()).await.unwrap();
    let kept = entries.into_iter().filter(|entry| !entry.key.as_str().starts_with("/moving/"));
    kept.map(|entry| (entry.key.to_string(), entry.value.len())).collect()
}

async fn goes_there_and_back(here: Subject, there: Subject) {
    let arrives = furnish(&here.backend).await;
    let (old, new) = (Housed::new(Arc::clone(&here.backend)), Housed::new(Arc::clone(&there.backend)));
    old.check().await.unwrap();
    let mut steps = Vec::new();
    let moved_entries = move_all(&here.backend, &there.backend, &this_move(), |step| steps.push(step)).await.unwrap();
    assert_eq!(moved_entries, arrives.len());
    assert_eq!(steps.last(), Some(&MoveStep::Comparing), "{steps:?}");
    assert_eq!(content(&there.backend).await, arrives);
    let gone = StoreError::Moved { to: "a cluster".to_owned() };
    assert_eq!(old.check().await, Err(gone.clone()));
    let late = Transaction::new().when(key("/s/002"), Expected::Absent).put(key("/s/late"), "x");
    assert_eq!(old.commit(late).await, Err(gone.into()), "that it has moved is told before a conflict");
    new.check().await.unwrap();
    new.commit(Transaction::new().put(key("/s/new"), "x")).await.unwrap();

    // And back, into a third one: the first is not empty.
    let back = Move { id: "m2".to_owned(), to: "one machine".to_owned() };
    let refused = move_all(&there.backend, &here.backend, &back, |_| {}).await.unwrap_err();
    assert!(matches!(refused, MoveError::NotEmpty { .. }), "{refused}");
    new.commit(Transaction::new().put(key("/s/after"), "x")).await.unwrap();
    let third: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    move_all(&there.backend, &third, &back, |_| {}).await.unwrap();
    assert_eq!(content(&third).await.len(), arrives.len() + 2);
    assert_eq!(moved(&there.backend).await.unwrap(), Some(back));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_sqlite_to_etcd_and_back() {
    goes_there_and_back(Subject::sqlite(), Subject::etcd().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_etcd_to_sqlite_and_back() {
    goes_there_and_back(Subject::etcd().await, Subject::sqlite()).await;
}

#[tokio::test]
async fn whatever_fails_there_is_one_store_and_it_is_whole() {
    let (mut failed_old, mut failed_new) = (0, 0);
    // Each request of either store in turn: refused, or made without an answer.
    for (in_old, fault) in [
        (true, Fault::Unavailable),
        (true, Fault::LoseAnswer),
        (false, Fault::Unavailable),
        (false, Fault::LoseAnswer),
        (false, Fault::DiskFull),
    ] {
        for nth in 0..40 {
            let (old, new) = (MemoryBackend::new(), MemoryBackend::new());
            let (here, there): (Arc<dyn Backend>, Arc<dyn Backend>) = (Arc::new(old.clone()), Arc::new(new.clone()));
            let arrives = furnish(&here).await;
            let failing = if in_old { &old } else { &new };
            failing.fail_next(Fault::Slow(Duration::ZERO), nth);
            failing.fail_next(fault, 1);
            let outcome = move_all(&here, &there, &this_move(), |_| {}).await;
            failing.heal();
            let (housed_old, housed_new) = (Housed::new(Arc::clone(&here)), Housed::new(Arc::clone(&there)));
            let takes_writes =
                async |store: &Housed| store.commit(Transaction::new().delete(key("/s/nothing"))).await.is_ok();
            if let Err(error) = outcome {
                *if in_old { &mut failed_old } else { &mut failed_new } += 1;
                let both = takes_writes(&housed_old).await && takes_writes(&housed_new).await;
                assert!(!both || content(&there).await.is_empty(), "two stores ({in_old}, {fault:?}, {nth}): {error}");
                // Whoever repeats it gets there.
                let again = move_all(&here, &there, &this_move(), |_| {}).await;
                assert!(again.is_ok(), "{in_old}, {fault:?}, {nth}: {error}, then {again:?}");
            }
            assert_eq!(content(&there).await, arrives);
            assert!(!takes_writes(&housed_old).await && takes_writes(&housed_new).await);
        }
    }
    assert!(failed_old > 2 && failed_new > 6, "{failed_old} {failed_new}");
}
