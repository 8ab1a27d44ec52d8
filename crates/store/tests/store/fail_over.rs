//! What a cluster of three survives: members that are killed, that hang, and that come back.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use nodepanel_store::{
    Backend, CommitError, EtcdAlarm, EtcdBackend, Expected, Prefix, Revision, StoreError, Sweep, Transaction,
    UpkeepDone, UpkeepStep,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    cluster::{Cluster, Durability},
    harness::{PATIENCE, all_words, eventually, key, next_batch, prefix},
};

/// What one writer was told.
#[derive(Debug, Default)]
struct Told {
    /// Values whose write was acknowledged, with the revision.
    done: Vec<(String, Revision)>,
    /// Values of which nothing is known.
    unknown: Vec<String>,
    /// The longest that a write took that was acknowledged.
    slowest: Duration,
}

/// Writes values that occur once, without a compare: only the store can keep them from being written twice.
async fn write(store: EtcdBackend, writer: u32, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told::default();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let value = format!("{writer}-{n}");
        let begun = Instant::now();
        match store.commit(Transaction::new().put(key(&format!("/w/{writer}")), value.clone())).await {
            Ok(committed) => {
                told.slowest = told.slowest.max(begun.elapsed());
                told.done.push((value, committed.revision));
            }
            Err(CommitError::Store(StoreError::OutcomeUnknown { .. })) => told.unknown.push(value),
            Err(CommitError::Store(error)) => assert!(error.is_retryable(), "{error}"),
            Err(error @ CommitError::Conflict(_)) => panic!("{error}"),
        }
    }
    told
}

/// Lets `trouble` happen to a cluster of three while eight write and one watches, and holds what they were told against
/// what is there.
async fn nothing_is_lost_or_done_twice(trouble: impl AsyncFnOnce(&Cluster)) {
    let cluster = Cluster::start(3, Durability::Disk).await;
    let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for writer in 0..8 {
        writers.spawn(write(cluster.store(&format!("writer{writer}")).await, writer, Arc::clone(&stop)));
    }
    let watcher = cluster.store("watcher").await;
    let mut watch = watcher.watch(&prefix("/w/"), Revision::ZERO).await.unwrap();
    trouble(&cluster).await;
    stop.store(true, Ordering::Relaxed);
    let told = writers.join_all().await;
    let end = cluster.store("reader").await.revision().await.unwrap();

    let mut seen: BTreeMap<String, Vec<Revision>> = BTreeMap::new();
    let mut last = Revision::ZERO;
    while last < end {
        let batch = match timeout(PATIENCE, watch.next()).await.expect("the watch goes on").expect("it has no end") {
            Ok(batch) => batch,
            Err(error) => {
                // It may give up while nobody answers, but not lose its place.
                assert!(error.is_retryable(), "{error}");
                watch = loop {
                    match watcher.watch(&prefix("/w/"), last).await {
                        Ok(watch) => break watch,
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                };
                continue;
            }
        };
        assert!(batch.revision > last || batch.changes.is_empty(), "{batch:?} after {last}");
        last = batch.revision;
        for word in all_words(&batch) {
            seen.entry(word.split_once('=').unwrap().1.to_owned()).or_default().push(batch.revision);
        }
    }
    let mut acknowledged = 0;
    for told in &told {
        for (value, revision) in &told.done {
            assert_eq!(seen.remove(value).as_deref(), Some([*revision].as_slice()), "{value}");
            acknowledged += 1;
        }
        for value in &told.unknown {
            let times = seen.remove(value).map_or(0, |revisions| revisions.len());
            assert!(times <= 1, "{value} was written {times} times");
        }
    }
    // What was refused was not written either.
    assert!(seen.is_empty(), "never acknowledged, and written: {seen:?}");
    let unknown: usize = told.iter().map(|told| told.unknown.len()).sum();
    let slowest = told.iter().map(|told| told.slowest).max().unwrap_or_default();
    println!("{acknowledged} acknowledged, {unknown} unknown, the slowest took {slowest:?}");
    assert!(acknowledged > 100, "{acknowledged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_takes_nothing_along() {
    nothing_is_lost_or_done_twice(async |cluster: &Cluster| {
        for _ in 0..3 {
            sleep(Duration::from_millis(400)).await;
            let leader = cluster.leader().await;
            cluster.kill(leader);
            let store = cluster.store("waiting").await;
            eventually("writes are taken again", async || {
                store.commit(Transaction::new().put(key("/t/1"), "x")).await.is_ok()
            })
            .await;
            cluster.begin(leader);
            sleep(Duration::from_millis(300)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hangs_and_goes_on_does_nothing_late() {
    nothing_is_lost_or_done_twice(async |cluster: &Cluster| {
        for _ in 0..3 {
            sleep(Duration::from_millis(300)).await;
            let leader = cluster.leader().await;
            cluster.stop(leader);
            sleep(Duration::from_millis(1_500)).await;
            cluster.go_on(leader);
        }
        sleep(Duration::from_millis(500)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_killed_come_back_with_everything() {
    nothing_is_lost_or_done_twice(async |cluster: &Cluster| {
        sleep(Duration::from_millis(500)).await;
        for member in 0..3 {
            cluster.kill(member);
        }
        sleep(Duration::from_millis(500)).await;
        for member in 0..3 {
            cluster.begin(member);
        }
        let store = cluster.store("waiting").await;
        eventually("writes are taken again", async || {
            store.commit(Transaction::new().put(key("/t/1"), "x")).await.is_ok()
        })
        .await;
        sleep(Duration::from_millis(300)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minority_takes_no_writes_and_says_what_it_does_not_know() {
    let cluster = Cluster::start(3, Durability::None).await;
    let store = cluster.store("test").await;
    let put = |value: &str| Transaction::new().put(key("/a/1"), value.to_owned());
    let revision = store.commit(put("before")).await.unwrap().revision;
    let mut watch = store.watch(&Prefix::everything(), revision).await.unwrap();
    assert_eq!(store.newest().await, Some(revision));
    cluster.kill(0);
    cluster.kill(1);
    let refused = store.commit(put("meanwhile")).await.unwrap_err();
    assert!(matches!(&refused, CommitError::Store(error) if error.is_retryable()), "{refused}");
    assert_eq!(store.newest().await, None, "nobody can say what the others know");
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(store.newest().await, None);
    }
    // Each of them for itself would wait for 300 ms.
    assert!(begun.elapsed() < Duration::from_secs(15), "who asks next does not wait again: {:?}", begun.elapsed());
    assert!(store.revision().await.is_err());
    let ended = async {
        while let Some(item) = watch.next().await {
            if let Err(error) = item {
                return error;
            }
        }
        panic!("a watch ends with an error");
    };
    assert!(timeout(PATIENCE, ended).await.unwrap().is_retryable());
    cluster.begin(0);
    eventually("a majority is there", async || store.commit(put("after")).await.is_ok()).await;
    let mut watch = store.watch(&Prefix::everything(), revision).await.unwrap();
    let mut words = Vec::new();
    while words.last().is_none_or(|last| last != "/a/1=after") {
        words.extend(all_words(&next_batch(&mut watch).await));
    }
    // What nobody knew became of it, happened once or never.
    assert!(words.iter().filter(|word| *word == "/a/1=meanwhile").count() <= 1, "{words:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_at_another_member() {
    let cluster = Cluster::start(3, Durability::None).await;
    let store = cluster.store("test").await;
    let mut watch = store.watch(&prefix("/a/"), Revision::ZERO).await.unwrap();
    let mut expected = 0;
    for member in [0, 1, 2] {
        for _ in 0..3 {
            store.commit(Transaction::new().put(key("/a/1"), expected.to_string())).await.unwrap();
            assert_eq!(all_words(&next_batch(&mut watch).await), [format!("/a/1={expected}")]);
            expected += 1;
        }
        cluster.kill(member);
        eventually("writes are taken", async || store.commit(Transaction::new().put(key("/b/1"), "x")).await.is_ok())
            .await;
        cluster.begin(member);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_hangs_holds_nobody_up() {
    let cluster = Cluster::start(3, Durability::None).await;
    let leader = cluster.leader().await;
    let hung = (leader + 1) % 3;
    let store = cluster.store("test").await;
    // Whichever is asked first: each of them answered last at some time.
    let mut times = Vec::new();
    cluster.stop(hung);
    for n in 0..20 {
        let begun = Instant::now();
        store.commit(Transaction::new().put(key("/a/1"), n.to_string())).await.unwrap();
        assert_eq!(store.get(&key("/a/1")).await.unwrap().unwrap().value, n.to_string());
        times.push(begun.elapsed());
    }
    cluster.go_on(hung);
    times.sort();
    println!("median {:?}, slowest {:?}", times[10], times[19]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_compare_one_wins_however_often_they_have_to_ask() {
    let cluster = Cluster::start(3, Durability::None).await;
    let store = cluster.store("zero").await;
    store.commit(Transaction::new().put(key("/n/total"), "0")).await.unwrap();
    let mut running = JoinSet::new();
    for writer in 0..4 {
        let store = cluster.store(&format!("counter{writer}")).await;
        running.spawn(async move {
            let mut done = 0_u32;
            while done < 25 {
                let Ok(Some(entry)) = store.get(&key("/n/total")).await else { continue };
                let value: u32 = String::from_utf8(entry.value.to_vec()).unwrap().parse().unwrap();
                let next = Transaction::new()
                    .when(entry.key.clone(), Expected::Modified(entry.mod_revision))
                    .put(entry.key, (value + 1).to_string());
                match store.commit(next).await {
                    Ok(_) => done += 1,
                    Err(CommitError::Conflict(_)) => {}
                    Err(CommitError::Store(error)) => assert!(
                        error.is_retryable() && !matches!(error, StoreError::OutcomeUnknown { .. }),
                        "with one member hung, the outcome is always known: {error}"
                    ),
                }
            }
        });
    }
    for _ in 0..3 {
        let leader = cluster.leader().await;
        cluster.stop(leader);
        sleep(Duration::from_millis(900)).await;
        cluster.go_on(leader);
        sleep(Duration::from_millis(200)).await;
    }
    while let Some(counted) = running.join_next().await {
        counted.unwrap();
    }
    assert_eq!(store.get(&key("/n/total")).await.unwrap().unwrap().value, "100");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_reached_is_told_and_cleaned_up() {
    const QUOTA: u64 = 16 * 1024 * 1024;
    let cluster = Cluster::with_quota(3, Durability::None, Some(QUOTA)).await;
    let store = cluster.store("test").await;
    let value = vec![b'x'; 256 * 1024];
    let put = || Transaction::new().put(key("/a/1"), value.clone());
    let full = async {
        loop {
            match store.commit(put()).await {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    };
    let refused = timeout(PATIENCE * 3, full).await.unwrap();
    assert_eq!(refused, StoreError::QuotaReached.into());
    assert!(store.get(&key("/a/1")).await.unwrap().is_some(), "it can be read");
    assert!(store.alarms().await.unwrap().iter().all(|alarm| matches!(alarm, EtcdAlarm::NoSpace { .. })));

    let (mut done, mut steps) = (UpkeepDone::default(), Vec::new());
    let cleaned = async {
        loop {
            match store.keep_up(QUOTA, &mut done).await {
                Ok(UpkeepStep::Rest) => return,
                Ok(step) => steps.push(step),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    };
    timeout(PATIENCE, cleaned).await.unwrap();
    assert_eq!(steps.first(), Some(&UpkeepStep::Compact), "{steps:?}");
    let rewritten = steps.iter().filter(|step| matches!(step, UpkeepStep::Rewrite(_))).count();
    assert_eq!(rewritten, 3, "{steps:?}");
    assert_eq!(store.alarms().await, Ok(Vec::new()));
    store.commit(put()).await.unwrap();
    let statuses = store.statuses().await;
    assert!(
        statuses.iter().all(|(_, status)| status.as_ref().is_ok_and(|status| status.size < QUOTA / 2)),
        "{statuses:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_of_processes_that_have_gone_are_removed() {
    let cluster = Cluster::start(1, Durability::None).await;
    let (gone, stays) = (cluster.store("gone").await, cluster.store("stays").await);
    let put = async |store: &EtcdBackend, name: &str| {
        store.commit(Transaction::new().put(key(name), "x")).await.unwrap();
    };
    put(&gone, "/a/1").await;
    put(&stays, "/a/2").await;
    let mut sweep = Sweep::default();
    assert_eq!(stays.sweep(&mut sweep).await, Ok(0), "nothing is known of them yet");
    put(&stays, "/a/2").await;
    assert_eq!(stays.sweep(&mut sweep).await, Ok(1));
    assert_eq!(stays.sweep(&mut sweep).await, Ok(1), "its own, too, when it is not used");
    // Both find that they have none any more, and take another.
    put(&gone, "/a/3").await;
    put(&stays, "/a/4").await;
    assert_eq!(stays.sweep(&mut sweep).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go() {
    let cluster = Cluster::start(1, Durability::None).await;
    let store = cluster.store("test").await;
    let learner = store.add_learner(vec!["http://127.0.0.1:9".to_owned()]).await.unwrap();
    assert!(learner.is_learner);
    // It never comes up, and stops nothing.
    store.commit(Transaction::new().put(key("/a/1"), "x")).await.unwrap();
    let early = store.promote(learner.id).await.unwrap_err();
    assert!(early.to_string().contains("in sync with leader"), "{early}");
    assert_eq!(store.list_members().await.unwrap().len(), 2);
    store.remove_member(learner.id).await.unwrap();
    let left = store.list_members().await.unwrap();
    assert_eq!(left.len(), 1);
    let status = store.statuses().await.remove(0).1.unwrap();
    assert_eq!((status.leader, status.member, status.is_learner), (Some(left[0].id), left[0].id, false));

    let mut copy = Vec::new();
    let bytes = store.snapshot(&cluster.endpoints()[0], &mut copy).await.unwrap();
    assert_eq!(u64::try_from(copy.len()).unwrap(), bytes);
    assert_eq!(bytes % 512, 32, "whole pages, and a checksum");
}
