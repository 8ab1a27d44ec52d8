//! What the nodes did: there once, however often and by whoever it is delivered.

use std::fs;

use nodepanel_store::{Delivered, Journal, JournalLimits, Position, StoreError};
use nodepanel_types::{
    NodeId, ServerId, Timestamp,
    wire::{ActivityEntry, ActivityKind},
};
use tempfile::TempDir;
use uuid::Uuid;

const ALL: u32 = 10_000;

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(1))
}

fn server() -> ServerId {
    ServerId::from_uuid(Uuid::from_u128(2))
}

fn journal(dir: &TempDir, limits: JournalLimits) -> Journal {
    Journal::at(dir.path().join("journal.db"), limits).unwrap()
}

/// The entry `n` of a history that differs from others by its times.
fn entry(n: u64, history: i64) -> ActivityEntry {
    ActivityEntry {
        n,
        at: Timestamp::from_millis(history + n.cast_signed()),
        server: (!n.is_multiple_of(3)).then(server),
        kind: ActivityKind::Crash,
        text: format!("entry {n} of {history}"),
        took_ms: Some(n),
        automatic: true,
    }
}

fn delivered(begins_at: Option<u64>, numbers: impl IntoIterator<Item = u64>, history: i64) -> Delivered {
    let entries = numbers.into_iter().map(|n| entry(n, history)).collect();
    Delivered { node: node(), begins_at, entries, heard: Timestamp::from_millis(1_000_000) }
}

async fn numbers(journal: &Journal) -> Vec<u64> {
    let mut numbers: Vec<u64> = journal.of_node(node(), ALL).await.unwrap().into_iter().map(|entry| entry.n).collect();
    numbers.reverse();
    numbers
}

#[tokio::test]
async fn two_readers_of_one_node_write_each_entry_once() {
    let dir = TempDir::new().unwrap();
    let (one, other) = (journal(&dir, JournalLimits::default()), journal(&dir, JournalLimits::default()));
    assert_eq!(one.position(node()).await, Ok(None));
    let chunks = |journal: Journal, size: u64| async move {
        for first in (1..=300).step_by(usize::try_from(size).unwrap()) {
            let begins_at = (first == 1).then_some(1);
            journal.append(delivered(begins_at, first..(first + size).min(301), 0)).await.unwrap();
        }
    };
    tokio::join!(chunks(one.clone(), 7), chunks(other.clone(), 20));
    assert_eq!(numbers(&one).await, (1..=300).collect::<Vec<_>>());
    let last = Position { n: 300, at: entry(300, 0).at };
    assert_eq!(other.position(node()).await, Ok(Some(last)));
    // A third that is far behind adds nothing and sets nothing back.
    other.append(delivered(Some(1), 1..=5, 0)).await.unwrap();
    assert_eq!(one.position(node()).await, Ok(Some(last)));
    let newest = one.of_server(server(), 2).await.unwrap();
    assert_eq!(newest, [entry(299, 0), entry(298, 0)], "newest first, without those of the node alone");
}

#[tokio::test]
async fn what_a_node_could_not_keep_is_told_of_once() {
    let dir = TempDir::new().unwrap();
    let journal = journal(&dir, JournalLimits::default());
    journal.append(delivered(Some(1), 1..=3, 0)).await.unwrap();
    for _ in 0..2 {
        journal.append(delivered(Some(9), 9..=10, 0)).await.unwrap();
    }
    assert_eq!(numbers(&journal).await, [1, 2, 3, 8, 9, 10]);
    let all = journal.of_node(node(), ALL).await.unwrap();
    assert!(all[2].text.starts_with("5 entries of this node's journal before number 9"), "{}", all[2].text);
}

#[tokio::test]
async fn a_node_whose_records_were_lost_or_put_back_begins_another_history() {
    let dir = TempDir::new().unwrap();
    let journal = journal(&dir, JournalLimits::default());
    journal.append(delivered(Some(1), 1..=4, 0)).await.unwrap();
    // Put back to where it was after entry 2: entries 3 and 4 are others now, 1 and 2 are the same.
    let mut back = delivered(Some(1), 1..=2, 0);
    back.entries.extend([entry(3, 500), entry(4, 500)]);
    journal.append(back).await.unwrap();
    assert_eq!(numbers(&journal).await, [1, 2, 3, 4, 3, 4]);
    assert_eq!(journal.position(node()).await, Ok(Some(Position { n: 4, at: entry(4, 500).at })));
}

#[tokio::test]
async fn the_past_is_bounded_by_number_and_by_age() {
    let dir = TempDir::new().unwrap();
    let journal = journal(&dir, JournalLimits { entries: 50, age_ms: 10_000 });
    for first in [1, 41, 81] {
        journal.append(delivered(Some(first), first..first + 40, 0)).await.unwrap();
    }
    assert_eq!(numbers(&journal).await, (71..=120).collect::<Vec<_>>());
    let mut late = delivered(None, [121], 0);
    late.heard = Timestamp::from_millis(1_010_001);
    journal.append(late).await.unwrap();
    assert_eq!(numbers(&journal).await, [121]);
    assert_eq!(journal.position(node()).await.unwrap().map(|position| position.n), Some(121));
}

#[tokio::test]
async fn a_damaged_file_is_left_alone_and_a_new_one_is_begun_when_it_is_moved_away() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("journal.db");
    fs::write(&path, vec![0xa5; 8_192]).unwrap();
    let journal = journal(&dir, JournalLimits::default());
    let error = journal.append(delivered(Some(1), 1..=3, 0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), vec![0xa5; 8_192]);
    fs::rename(&path, dir.path().join("damaged")).unwrap();
    journal.append(delivered(Some(1), 1..=3, 0)).await.unwrap();
    assert_eq!(numbers(&journal).await, [1, 2, 3]);
    // Also while it is open.
    fs::rename(&path, dir.path().join("away")).unwrap();
    assert_eq!(journal.position(node()).await, Ok(None));
}
