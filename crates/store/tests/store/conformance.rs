//! What every backend must do, run against each of them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nodepanel_store::{CommitError, Expected, Revision, StoreError, Transaction, limits};

use crate::harness::{PATIENCE, Subject, all_words, eventually, key, next_batch, prefix};

macro_rules! conformance {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Subject::memory()).await; })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Subject::sqlite()).await; })*
        }
        mod etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Subject::etcd().await).await; })*
        }
    };
}

conformance![
    revisions_count_transactions,
    a_failed_compare_is_an_answer_and_writes_nothing,
    the_newest_revision_shows_what_was_acknowledged,
    of_many_increments_none_is_lost,
    several_keys_change_together_or_not_at_all,
    lists_go_by_prefix_and_in_order,
    pages_show_the_revision_of_the_first_one,
    compacted_pages_say_so,
    a_watch_resumes_without_gap_or_repetition,
    a_watch_sees_its_prefix_only_and_still_advances,
    a_watch_loses_nothing_under_concurrent_writers,
    a_watch_from_compacted_history_is_refused,
    a_watch_from_the_future_is_refused,
    an_idle_watch_reports_progress,
    limits_are_enforced,
    leased_keys_vanish_when_the_lease_ends,
    a_lease_that_is_kept_alive_lasts,
    a_revoked_lease_takes_its_keys_along,
    an_overwrite_without_lease_frees_the_key,
];

async fn revisions_count_transactions(store: Subject) {
    assert_eq!(store.backend.revision().await, Ok(Revision::ZERO));
    assert_eq!(store.put("/a/1", "x").await, Revision(1));
    assert_eq!(store.put("/a/1", "y").await, Revision(2));
    let entry = store.backend.get(&key("/a/1")).await.unwrap().unwrap();
    assert_eq!((entry.create_revision, entry.mod_revision, entry.lease), (Revision(1), Revision(2), None));
    assert_eq!(store.delete("/a/1").await, Revision(3));
    assert_eq!(store.backend.get(&key("/a/1")).await, Ok(None));
    // What changes nothing need not take a revision.
    let nothing = store.delete("/a/1").await;
    assert_eq!(nothing, Revision(3 + u64::from(store.counts_turns())));
    let again = store.put("/a/1", "z").await;
    assert_eq!(again, nothing.next());
    let entry = store.backend.get(&key("/a/1")).await.unwrap().unwrap();
    assert_eq!((entry.create_revision, entry.mod_revision), (again, again));
    assert_eq!(store.backend.revision().await, Ok(again));
}

async fn the_newest_revision_shows_what_was_acknowledged(store: Subject) {
    assert_eq!(store.backend.newest().await, Some(Revision::ZERO));
    for _ in 0..50 {
        let revision = store.put("/a/1", "x").await;
        assert_eq!(store.backend.newest().await, Some(revision));
    }
}

async fn a_failed_compare_is_an_answer_and_writes_nothing(store: Subject) {
    let first = store.put("/a/1", "x").await;
    let second = store.put("/a/1", "y").await;
    let wrong = [
        (key("/a/1"), Expected::Absent),
        (key("/a/1"), Expected::Modified(first)),
        (key("/a/1"), Expected::Created(second)),
        (key("/a/2"), Expected::Present),
        (key("/a/2"), Expected::Modified(first)),
        (key("/a/2"), Expected::Created(first)),
    ];
    for (compared, expected) in wrong {
        let transaction = Transaction::new()
            .when(key("/a/1"), Expected::Present)
            .when(compared.clone(), expected)
            .put(key("/a/3"), "never");
        let Err(CommitError::Conflict(conflict)) = store.backend.commit(transaction).await else {
            panic!("{compared} {expected} should not hold");
        };
        assert_eq!((&conflict.key, conflict.expected), (&compared, expected));
        assert_eq!(conflict.actual, store.backend.get(&compared).await.unwrap());
    }
    assert_eq!(store.value("/a/3").await, None);
    assert_eq!(store.backend.revision().await, Ok(second));
    let right = Transaction::new()
        .when(key("/a/1"), Expected::Present)
        .when(key("/a/1"), Expected::Created(first))
        .when(key("/a/1"), Expected::Modified(second))
        .when(key("/a/2"), Expected::Absent)
        .put(key("/a/3"), "now");
    assert_eq!(store.backend.commit(right).await.unwrap().revision, second.next());
}

async fn of_many_increments_none_is_lost(store: Subject) {
    store.put("/n/total", "0").await;
    let (tasks, each) = (8, 12);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..tasks {
        let backend = Arc::clone(&store.backend);
        running.spawn(async move {
            let mut done = 0;
            while done < each {
                let entry = backend.get(&key("/n/total")).await.unwrap().unwrap();
                let value: u32 = String::from_utf8(entry.value.to_vec()).unwrap().parse().unwrap();
                let next = Transaction::new()
                    .when(entry.key.clone(), Expected::Modified(entry.mod_revision))
                    .put(entry.key, (value + 1).to_string());
                match backend.commit(next).await {
                    Ok(_) => done += 1,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        });
    }
    while let Some(outcome) = running.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(store.value("/n/total").await, Some((tasks * each).to_string()));
}

async fn several_keys_change_together_or_not_at_all(store: Subject) {
    let together = Transaction::new().put(key("/a/1"), "x").put(key("/b/1"), "x").delete(key("/c/none"));
    let revision = store.backend.commit(together).await.unwrap().revision;
    for name in ["/a/1", "/b/1"] {
        assert_eq!(store.backend.get(&key(name)).await.unwrap().unwrap().mod_revision, revision);
    }
    let mut watch = store.backend.watch(&prefix("/"), Revision::ZERO).await.unwrap();
    assert_eq!(all_words(&next_batch(&mut watch).await), ["/a/1=x", "/b/1=x"]);
    let refused = Transaction::new().when(key("/b/1"), Expected::Absent).put(key("/a/1"), "y").delete(key("/b/1"));
    assert!(store.backend.commit(refused).await.unwrap_err().is_conflict());
    assert_eq!(store.value("/a/1").await.as_deref(), Some("x"));
    assert_eq!(store.value("/b/1").await.as_deref(), Some("x"));
}

async fn lists_go_by_prefix_and_in_order(store: Subject) {
    for name in ["/s/b", "/s/a", "/s-old/x", "/s/c/deep", "/t/a", "/s/ü"] {
        store.put(name, "x").await;
    }
    store.delete("/s/b").await;
    for limit in [1, 2, 3, 100] {
        assert_eq!(store.keys("/s/", limit).await, ["/s/a", "/s/c/deep", "/s/ü"]);
        assert_eq!(store.keys("/s/c/", limit).await, ["/s/c/deep"]);
        assert_eq!(store.keys("/nothing/", limit).await, [""; 0]);
        assert_eq!(store.keys("/", limit).await.len(), 5);
    }
}

async fn pages_show_the_revision_of_the_first_one(store: Subject) {
    for n in 0..10 {
        store.put(&format!("/s/{n}"), "old").await;
    }
    let first = store.backend.list(&prefix("/s/"), 4, None).await.unwrap();
    store.put("/s/3", "new").await;
    store.put("/s/5", "new").await;
    store.put("/s/5", "newer").await;
    store.put("/s/55", "new").await;
    store.delete("/s/7").await;
    store.delete("/s/8").await;
    store.put("/s/8", "again").await;
    let mut rest = Vec::new();
    let mut page = first.clone();
    while let Some(from) = page.next {
        page = store.backend.list(&prefix("/s/"), 4, Some(&from)).await.unwrap();
        assert_eq!(page.revision, first.revision);
        rest.extend(page.entries.iter().map(|e| format!("{}={}", e.key, String::from_utf8_lossy(&e.value))));
    }
    assert_eq!(rest, ["/s/4=old", "/s/5=old", "/s/6=old", "/s/7=old", "/s/8=old", "/s/9=old"]);
    assert_eq!(store.keys("/s/", 100).await.len(), 10);
}

async fn compacted_pages_say_so(store: Subject) {
    for n in 0..4 {
        store.put(&format!("/s/{n}"), "x").await;
    }
    let page = store.backend.list(&prefix("/s/"), 2, None).await.unwrap();
    let newer = store.put("/s/3", "y").await;
    store.compact(newer).await;
    let outcome = store.backend.list(&prefix("/s/"), 2, page.next.as_ref()).await;
    assert_eq!(outcome, Err(StoreError::Compacted { asked: page.revision, oldest: newer }));
    assert_eq!(store.keys("/s/", 2).await.len(), 4);
    assert_eq!(store.value("/s/3").await.as_deref(), Some("y"));
}

async fn a_watch_resumes_without_gap_or_repetition(store: Subject) {
    store.put("/a/1", "1").await;
    let after = store.put("/a/2", "2").await;
    let mut watch = store.backend.watch(&prefix("/a/"), after).await.unwrap();
    store.put("/a/1", "3").await;
    store.delete("/a/2").await;
    let first = next_batch(&mut watch).await;
    assert_eq!((first.revision, all_words(&first)), (Revision(3), vec!["/a/1=3".to_owned()]));
    drop(watch);
    store.put("/a/1", "5").await;
    let mut watch = store.backend.watch(&prefix("/a/"), first.revision).await.unwrap();
    store.put("/a/1", "6").await;
    for expected in ["-/a/2", "/a/1=5", "/a/1=6"] {
        assert_eq!(all_words(&next_batch(&mut watch).await), [expected]);
    }
}

async fn a_watch_sees_its_prefix_only_and_still_advances(store: Subject) {
    let mut watch = store.backend.watch(&prefix("/a/"), Revision::ZERO).await.unwrap();
    store.put("/a/1", "x").await;
    let last = store.put("/b/1", "x").await;
    let mut seen = Vec::new();
    let advanced = async {
        loop {
            let batch = watch.next().await.unwrap().unwrap();
            seen.extend(all_words(&batch));
            if batch.revision >= last {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, advanced).await.unwrap();
    assert_eq!(seen, ["/a/1=x"]);
}

async fn a_watch_loses_nothing_under_concurrent_writers(store: Subject) {
    let (tasks, each) = (4_u32, 40_u32);
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let backend = Arc::clone(&store.backend);
        running.spawn(async move {
            for n in 0..each {
                let put = Transaction::new().put(key(&format!("/w/{task}")), n.to_string());
                backend.commit(put.put(key(&format!("/w/{task}-{n}")), "x")).await.unwrap();
            }
        });
    }
    let mut watch = store.backend.watch(&prefix("/w/"), Revision::ZERO).await.unwrap();
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for revision in 1..=u64::from(tasks * each) {
        let batch = next_batch(&mut watch).await;
        assert_eq!(batch.revision, Revision(revision));
        let [counter, own] = all_words(&batch).try_into().unwrap();
        let (task, n) = counter.strip_prefix("/w/").unwrap().split_once('=').unwrap();
        assert_eq!(own, format!("/w/{task}-{n}=x"));
        let expected = next.entry(task.parse().unwrap()).or_default();
        assert_eq!(n.parse::<u32>().unwrap(), *expected);
        *expected += 1;
    }
    while let Some(outcome) = running.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), vec![each; tasks as usize]);
}

async fn a_watch_from_compacted_history_is_refused(store: Subject) {
    store.put("/a/1", "1").await;
    store.put("/a/1", "2").await;
    let oldest = store.put("/a/1", "3").await;
    store.compact(oldest).await;
    let refused = store.backend.watch(&prefix("/a/"), Revision(1)).await;
    assert_eq!(refused.map(drop), Err(StoreError::Compacted { asked: Revision(1), oldest }));
    let mut watch = store.backend.watch(&prefix("/a/"), oldest).await.unwrap();
    store.put("/a/1", "4").await;
    assert_eq!(all_words(&next_batch(&mut watch).await), ["/a/1=4"]);
}

async fn a_watch_from_the_future_is_refused(store: Subject) {
    let current = store.put("/a/1", "1").await;
    let refused = store.backend.watch(&prefix("/a/"), Revision(9)).await.map(drop);
    assert_eq!(refused, Err(StoreError::FutureRevision { asked: Revision(9), current }));
}

async fn an_idle_watch_reports_progress(store: Subject) {
    let current = store.put("/b/1", "1").await;
    let mut watch = store.backend.watch(&prefix("/a/"), current).await.unwrap();
    for _ in 0..2 {
        let batch = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
        assert_eq!((batch.revision, batch.changes.len()), (current, 0));
    }
}

async fn limits_are_enforced(store: Subject) {
    let largest = Transaction::new().put(key("/a/1"), vec![b'x'; limits::VALUE_BYTES]);
    store.backend.commit(largest).await.unwrap();
    let larger = Transaction::new().put(key("/a/1"), vec![b'x'; limits::VALUE_BYTES + 1]);
    let refused = store.backend.commit(larger).await.unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::TooLarge { .. })), "{refused}");
    let most = (0..limits::OPERATIONS).fold(Transaction::new(), |t, n| t.put(key(&format!("/m/{n}")), "x"));
    store.backend.commit(most).await.unwrap();
    assert_eq!(store.keys("/m/", 50).await.len(), limits::OPERATIONS);
    let twice = Transaction::new().put(key("/a/1"), "x").delete(key("/a/1"));
    let refused = store.backend.commit(twice).await.unwrap_err();
    assert_eq!(refused, StoreError::DuplicateKey { key: key("/a/1") }.into());
}

async fn leased_keys_vanish_when_the_lease_ends(store: Subject) {
    let lease = store.backend.lease_grant(Duration::from_millis(200)).await.unwrap();
    let put = Transaction::new().put_leased(key("/p/1"), "here", lease).put_leased(key("/p/2"), "here", lease);
    let revision = store.backend.commit(put.put(key("/p/3"), "stays")).await.unwrap().revision;
    assert_eq!(store.backend.get(&key("/p/1")).await.unwrap().unwrap().lease, Some(lease));
    let mut watch = store.backend.watch(&prefix("/p/"), revision).await.unwrap();
    assert_eq!(all_words(&next_batch(&mut watch).await), ["-/p/1", "-/p/2"]);
    assert_eq!(store.keys("/p/", 10).await, ["/p/3"]);
    let gone = Err(StoreError::LeaseNotFound { lease });
    assert_eq!(store.backend.lease_keep_alive(lease).await, gone);
    let late = store.backend.commit(Transaction::new().put_leased(key("/p/4"), "late", lease)).await;
    assert_eq!(late, Err(StoreError::LeaseNotFound { lease }.into()));
    assert_eq!(store.value("/p/4").await, None);
}

async fn a_lease_that_is_kept_alive_lasts(store: Subject) {
    let ttl = Duration::from_millis(600);
    let lease = store.backend.lease_grant(ttl).await.unwrap();
    store.backend.commit(Transaction::new().put_leased(key("/p/1"), "here", lease)).await.unwrap();
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < ttl * 2 {
        store.backend.lease_keep_alive(lease).await.unwrap();
        assert!(store.value("/p/1").await.is_some());
        tokio::time::sleep(ttl / 12).await;
    }
    eventually("the key vanishes", || async { store.value("/p/1").await.is_none() }).await;
}

async fn a_revoked_lease_takes_its_keys_along(store: Subject) {
    let lease = store.backend.lease_grant(Duration::from_secs(60)).await.unwrap();
    store.backend.commit(Transaction::new().put_leased(key("/p/1"), "here", lease)).await.unwrap();
    store.backend.lease_revoke(lease).await.unwrap();
    assert_eq!(store.value("/p/1").await, None);
    store.backend.lease_revoke(lease).await.unwrap();
    assert_eq!(store.backend.lease_keep_alive(lease).await, Err(StoreError::LeaseNotFound { lease }));
}

async fn an_overwrite_without_lease_frees_the_key(store: Subject) {
    let lease = store.backend.lease_grant(Duration::from_secs(60)).await.unwrap();
    store.backend.commit(Transaction::new().put_leased(key("/p/1"), "leased", lease)).await.unwrap();
    store.put("/p/1", "free").await;
    store.backend.lease_revoke(lease).await.unwrap();
    assert_eq!(store.value("/p/1").await.as_deref(), Some("free"));
}
