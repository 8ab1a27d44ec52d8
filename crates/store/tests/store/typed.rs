//! Records: versions, compares, and what cannot be read.

use nodepanel_store::{CommitError, Expected, Repository, Revision, StoreError, Stored, Transaction};

use crate::{
    harness::Subject,
    records::{Game, Player, game},
};

#[tokio::test]
async fn a_record_is_created_once_and_updated_only_as_read() {
    let store = Subject::memory();
    let games = Repository::<Game>::new(store.backend.clone());
    let first = games.create(&game(1, "chess")).await.unwrap();
    assert!(games.create(&game(1, "draughts")).await.unwrap_err().is_conflict());
    assert_eq!(games.get(&1).await.unwrap(), Some(Stored { record: game(1, "chess"), revision: first }));
    assert_eq!(games.get(&2).await, Ok(None));

    let second = games.update(&game(1, "go"), first).await.unwrap();
    let Err(CommitError::Conflict(conflict)) = games.update(&game(1, "late"), first).await else {
        panic!("an update of an old revision must not pass");
    };
    assert_eq!(conflict.expected, Expected::Modified(first));
    assert_eq!(conflict.actual.unwrap().mod_revision, second);
    assert!(games.delete(&1, first).await.unwrap_err().is_conflict());
    games.delete(&1, second).await.unwrap();
    assert!(games.update(&game(1, "gone"), second).await.unwrap_err().is_conflict());
    assert_eq!(games.get(&1).await, Ok(None));
}

#[tokio::test]
async fn records_of_several_kinds_change_together() {
    let store = Subject::memory();
    let ann = Player { name: "ann".into(), game: 1 };
    let join = || Transaction::new().require::<Game>(&1)?.create(&ann);
    assert!(store.backend.commit(join().unwrap()).await.unwrap_err().is_conflict());
    let games = Repository::<Game>::new(store.backend.clone());
    let revision = games.create(&game(1, "chess")).await.unwrap();
    store.backend.commit(join().unwrap()).await.unwrap();
    let leave = Transaction::new().update(&game(1, "over"), revision).unwrap().remove::<Player>(&ann.name, Revision(2));
    store.backend.commit(leave.unwrap()).await.unwrap();
    assert_eq!(games.list().await.unwrap().records[0].record.title, "over");
    assert!(Repository::<Player>::new(store.backend.clone()).list().await.unwrap().records.is_empty());
}

/// The stored forms of every version, as they were written: they must be readable for ever.
#[tokio::test]
async fn every_stored_version_can_be_read() {
    let store = Subject::memory();
    store.put("/games/1", r#"{"v":1,"record":{"id":1,"name":"chess"}}"#).await;
    store.put("/games/2", r#"{"v":2,"record":{"id":2,"title":"chess"}}"#).await;
    store.put("/games/3", r#"{"v":3,"record":{"id":3,"title":"chess","players":7}}"#).await;
    let listing = Repository::<Game>::new(store.backend.clone()).list().await.unwrap();
    assert_eq!(listing.unreadable, []);
    let records: Vec<_> = listing.records.into_iter().map(|stored| stored.record).collect();
    assert_eq!(records, [1, 2, 3].map(|id| Game { id, title: "chess".into(), players: 7 }));
    Repository::<Game>::new(store.backend.clone()).create(&game(4, "go")).await.unwrap();
    let written = store.value("/games/4").await.unwrap();
    assert_eq!(written, r#"{"v":3,"record":{"id":4,"title":"go","players":0}}"#);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_called_absent() {
    let store = Subject::memory();
    let games = Repository::<Game>::new(store.backend.clone());
    let unreadable = [
        ("/games/1", r#"{"v":4,"record":{"id":1}}"#, "newer NodePanel"),
        ("/games/2", r#"{"v":3,"record":{"id":9,"title":"x","players":0}}"#, "its id is 9"),
        ("/games/3", r#"{"v":3,"record":{"id":3}}"#, "missing field"),
        ("/games/4", "garbage", "expected value"),
        ("/games/5", r#"{"v":1,"record":{"id":5}}"#, "it has no name"),
    ];
    for (n, (key, value, reason)) in unreadable.into_iter().enumerate() {
        store.put(key, value).await;
        let error = games.get(&u32::try_from(n + 1).unwrap()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unreadable { reason: words, .. } if words.contains(reason)), "{error}");
    }
    games.create(&game(6, "chess")).await.unwrap();
    let listing = games.list().await.unwrap();
    assert_eq!((listing.records.len(), listing.unreadable.len()), (1, 5));
}
