//! Random histories against the simplest model there is: a `BTreeMap`.

use std::collections::BTreeMap;

use nodepanel_store::{Change, Expected, Revision, Transaction};
use proptest::{collection::vec, prelude::*};

use crate::harness::{Subject, key, next_batch, prefix};

/// The keys of the model: few, so that they meet.
fn name(n: u8) -> String {
    format!("/k/{}", n % 6)
}

#[derive(Debug, Clone)]
enum Step {
    /// Puts (true) and deletes (false) these keys, when the first key is as expected: absent, present, or either.
    Change { keys: Vec<(u8, bool)>, expect_present: Option<bool> },
    /// Forgets history.
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    let change = (vec((any::<u8>(), any::<bool>()), 1..4), any::<Option<bool>>())
        .prop_map(|(keys, expect_present)| Step::Change { keys, expect_present });
    prop_oneof![9 => change, 1 => Just(Step::Compact)]
}

async fn agrees(store: Subject, steps: Vec<Step>) {
    let mut model: BTreeMap<String, (String, u64, u64)> = BTreeMap::new();
    let mut revision = 0;
    let mut log: Vec<(u64, Vec<String>)> = Vec::new();
    let mut watch = store.backend.watch(&prefix("/k/"), Revision::ZERO).await.unwrap();
    for (n, step) in steps.into_iter().enumerate() {
        match step {
            Step::Compact => {
                // The open watch must have come this far, or it is rightly told that history is gone.
                while !log.is_empty() {
                    expect(&mut watch, log.remove(0)).await;
                }
                store.compact(Revision(revision)).await;
            }
            Step::Change { keys, expect_present } => {
                let distinct: BTreeMap<String, bool> = keys.iter().map(|(n, put)| (name(*n), *put)).collect();
                let (compared, _) = distinct.first_key_value().unwrap();
                let mut transaction = Transaction::new();
                if let Some(present) = expect_present {
                    let expected = if present { Expected::Present } else { Expected::Absent };
                    transaction = transaction.when(key(compared), expected);
                }
                let holds = expect_present.is_none_or(|present| model.contains_key(compared) == present);
                let mut changed = Vec::new();
                for (name, put) in &distinct {
                    transaction =
                        if *put { transaction.put(key(name), n.to_string()) } else { transaction.delete(key(name)) };
                    if *put || model.contains_key(name) {
                        changed.push(name.clone());
                    }
                }
                let outcome = store.backend.commit(transaction).await;
                if !holds {
                    assert!(outcome.unwrap_err().is_conflict());
                    continue;
                }
                let before = std::mem::replace(&mut revision, outcome.unwrap().revision.0);
                // What changes nothing takes no revision, or one that shows nothing.
                let least = before + u64::from(!changed.is_empty());
                assert!(revision == least || (store.counts_turns() && revision == before + 1), "{before} {revision}");
                for name in &changed {
                    if distinct[name] {
                        let created = model.get(name).map_or(revision, |(_, created, _)| *created);
                        model.insert(name.clone(), (n.to_string(), created, revision));
                    } else {
                        model.remove(name);
                    }
                }
                if !changed.is_empty() {
                    log.push((revision, changed));
                }
            }
        }
        let page = store.backend.list(&prefix("/k/"), 100, None).await.unwrap();
        assert_eq!(page.revision, Revision(revision));
        let listed: BTreeMap<_, _> = page
            .entries
            .iter()
            .map(|e| {
                let value = String::from_utf8(e.value.to_vec()).unwrap();
                (e.key.to_string(), (value, e.create_revision.0, e.mod_revision.0))
            })
            .collect();
        assert_eq!(listed, model);
    }
    for expected in log {
        expect(&mut watch, expected).await;
    }
}

async fn expect(watch: &mut nodepanel_store::Watch, (revision, keys): (u64, Vec<String>)) {
    let batch = next_batch(watch).await;
    let seen: Vec<_> = batch.changes.iter().map(Change::key).map(ToString::to_string).collect();
    assert_eq!((batch.revision.0, seen), (revision, keys));
}

fn check(subject: impl AsyncFn() -> Subject, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in vec(step(), 1..40))| {
        runtime.block_on(async { agrees(subject().await, steps).await });
    });
}

#[test]
fn memory_agrees_with_the_model() {
    check(async || Subject::memory(), 200);
}

#[test]
fn sqlite_agrees_with_the_model() {
    check(async || Subject::sqlite(), 40);
}

#[test]
fn etcd_agrees_with_the_model() {
    check(Subject::etcd, 12);
}
