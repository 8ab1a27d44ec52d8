//! The copy in memory: it shows what is stored, tells what changed, and outlives the store.

use std::{sync::Arc, time::Duration};

use nodepanel_store::{
    Backend, Cache, CacheBuilder, Changed, Fault, MemoryBackend, Repository, Revision, StoreError, Transaction, Verb,
    View,
};

use crate::{
    harness::{PATIENCE, Subject, eventually, key},
    records::{Game, Player, game},
};

struct Copy {
    cache: Cache,
    games: View<Game>,
    players: View<Player>,
}

async fn copy_of(backend: &Arc<dyn Backend>) -> Copy {
    let mut builder = CacheBuilder::new(Arc::clone(backend));
    let (games, players) = (builder.view::<Game>().unwrap(), builder.view::<Player>().unwrap());
    let cache = builder.start();
    cache.loaded(PATIENCE).await.unwrap();
    Copy { cache, games, players }
}

fn titles(games: &View<Game>) -> Vec<String> {
    games.all().iter().map(|stored| stored.record.title.clone()).collect()
}

async fn shows_what_is_stored(store: Subject) {
    let games = Repository::<Game>::new(store.backend.clone());
    for id in [11, 2, 30] {
        games.create(&game(id, &format!("game {id}"))).await.unwrap();
    }
    store.put("/other/1", "not a record at all").await;
    let copy = copy_of(&store.backend).await;
    assert_eq!(titles(&copy.games), ["game 2", "game 11", "game 30"]);
    assert!(copy.players.is_empty());
    assert_eq!(copy.games.page(Some(&2), 1)[0].record.id, 11);
    assert_eq!(copy.games.page(None, 2).len(), 2);
    assert_eq!(copy.games.find(|game| game.title.ends_with("30")).unwrap().record.id, 30);

    // A writer reads its own write.
    let stored = copy.games.get(&2).unwrap();
    let revision = games.update(&game(2, "two"), stored.revision).await.unwrap();
    copy.cache.wait_for(revision, PATIENCE).await.unwrap();
    assert_eq!(copy.games.get(&2).unwrap().record.title, "two");
    let revision = games.delete(&11, copy.games.get(&11).unwrap().revision).await.unwrap();
    copy.cache.wait_for(revision, PATIENCE).await.unwrap();
    assert_eq!(titles(&copy.games), ["two", "game 30"]);
    assert!(!copy.cache.freshness().is_stale());
    let never = copy.cache.wait_for(Revision(1_000), Duration::from_millis(10)).await;
    assert!(matches!(never, Err(StoreError::Timeout { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_shown() {
    shows_what_is_stored(Subject::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_is_shown() {
    shows_what_is_stored(Subject::sqlite()).await;
}

#[tokio::test]
async fn subscribers_are_told_what_was_and_what_is() {
    let store = Subject::memory();
    let copy = copy_of(&store.backend).await;
    let (mut all, mut typed) = (copy.cache.subscribe(), copy.games.subscribe());
    let ann = Player { name: "ann".into(), game: 1 };
    let both = Transaction::new().create(&game(1, "chess")).unwrap().create(&ann).unwrap();
    let first = store.backend.commit(both).await.unwrap().revision;
    let games = Repository::<Game>::new(store.backend.clone());
    let second = games.update(&game(1, "go"), first).await.unwrap();
    let third = games.delete(&1, second).await.unwrap();
    let told = |kind, id: &str, verb, revision| Changed { kind, id: id.to_owned(), verb, revision };
    for expected in [
        told("games", "1", Verb::Created, first),
        told("players", "ann", Verb::Created, first),
        told("games", "1", Verb::Updated, second),
        told("games", "1", Verb::Deleted, third),
    ] {
        assert_eq!(all.recv().await.unwrap(), expected);
    }
    for (old, new) in [(None, Some("chess")), (Some("chess"), Some("go")), (Some("go"), None)] {
        let change = typed.recv().await.unwrap();
        let title =
            |stored: &Option<Arc<nodepanel_store::Stored<Game>>>| stored.as_ref().map(|s| s.record.title.clone());
        assert_eq!((title(&change.old).as_deref(), title(&change.new).as_deref()), (old, new));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_served_through_and_caught_up_with() {
    let memory = MemoryBackend::new();
    let backend: Arc<dyn Backend> = Arc::new(memory.clone());
    let games = Repository::<Game>::new(backend.clone());
    let first = games.create(&game(1, "chess")).await.unwrap();
    let copy = copy_of(&backend).await;
    memory.fail_always(Fault::Unavailable);
    eventually("the outage is noticed", || async { copy.cache.freshness().outage.is_some() }).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let freshness = copy.cache.freshness();
    assert!(freshness.is_stale() && freshness.age() >= Duration::from_secs(59), "{freshness:?}");
    assert_eq!(titles(&copy.games), ["chess"]);

    memory.heal();
    let second = games.update(&game(1, "go"), first).await.unwrap();
    copy.cache.wait_for(second, PATIENCE).await.unwrap();
    assert_eq!(titles(&copy.games), ["go"]);
    assert!(!copy.cache.freshness().is_stale());
}

#[tokio::test(start_paused = true)]
async fn compacted_history_leads_to_a_new_list_that_tells_the_differences() {
    let memory = MemoryBackend::new();
    let backend: Arc<dyn Backend> = Arc::new(memory.clone());
    let games = Repository::<Game>::new(backend.clone());
    let kept = games.create(&game(1, "kept")).await.unwrap();
    let gone = games.create(&game(2, "gone")).await.unwrap();
    let changed = games.create(&game(3, "changed")).await.unwrap();
    let copy = copy_of(&backend).await;
    let mut told = copy.cache.subscribe();
    let unchanged = copy.games.get(&1).unwrap();
    assert_eq!(unchanged.revision, kept);

    memory.fail_always(Fault::Unavailable);
    eventually("the outage is noticed", || async { copy.cache.freshness().outage.is_some() }).await;
    memory.heal();
    games.delete(&2, gone).await.unwrap();
    games.update(&game(3, "changed!"), changed).await.unwrap();
    let last = games.create(&game(4, "new")).await.unwrap();
    memory.compact(last);
    copy.cache.wait_for(last, PATIENCE).await.unwrap();
    assert_eq!(titles(&copy.games), ["kept", "changed!", "new"]);
    assert!(Arc::ptr_eq(&unchanged, &copy.games.get(&1).unwrap()), "what did not change is not read again");
    let mut verbs = Vec::new();
    for _ in 0..3 {
        let change = told.recv().await.unwrap();
        verbs.push((change.id, change.verb));
    }
    let verbs: Vec<_> = verbs.iter().map(|(id, verb)| (id.as_str(), *verb)).collect();
    assert_eq!(verbs, [("2", Verb::Deleted), ("3", Verb::Updated), ("4", Verb::Created)]);
}

#[tokio::test(start_paused = true)]
async fn a_cache_can_be_started_before_its_store() {
    let memory = MemoryBackend::new();
    memory.fail_always(Fault::Unavailable);
    let mut builder = CacheBuilder::new(Arc::new(memory.clone()));
    let games = builder.view::<Game>().unwrap();
    let cache = builder.start();
    let waited = cache.loaded(Duration::from_secs(3)).await;
    assert!(matches!(waited, Err(StoreError::Timeout { .. })), "{waited:?}");
    assert!(cache.freshness().outage.unwrap().contains("unavailable"));
    memory.heal();
    cache.loaded(PATIENCE).await.unwrap();
    assert!(games.is_empty());
}

#[tokio::test]
async fn a_record_from_a_newer_program_does_not_make_the_old_one_vanish() {
    let store = Subject::memory();
    let copy = copy_of(&store.backend).await;
    let revision = Repository::<Game>::new(store.backend.clone()).create(&game(1, "chess")).await.unwrap();
    copy.cache.wait_for(revision, PATIENCE).await.unwrap();
    let newer = store.put("/games/1", r#"{"v":9,"record":{}}"#).await;
    copy.cache.wait_for(newer, PATIENCE).await.unwrap();
    assert_eq!(titles(&copy.games), ["chess"]);
    let unreadable = copy.games.unreadable();
    assert_eq!((&unreadable[0].key, unreadable[0].revision), (&key("/games/1"), newer));
    let deleted = store.delete("/games/1").await;
    copy.cache.wait_for(deleted, PATIENCE).await.unwrap();
    assert!(copy.games.is_empty() && copy.games.unreadable().is_empty());
}

#[tokio::test(start_paused = true)]
async fn everything_is_compared_with_a_fresh_list_now_and_then() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let mut builder = CacheBuilder::new(Arc::clone(&backend)).relist_every(Duration::from_secs(2));
    let games = builder.view::<Game>().unwrap();
    let cache = builder.start();
    cache.loaded(PATIENCE).await.unwrap();
    let repository = Repository::<Game>::new(backend);
    for id in 0..20 {
        let revision = repository.create(&game(id, "x")).await.unwrap();
        cache.wait_for(revision, PATIENCE).await.unwrap();
        assert_eq!(games.len(), id as usize + 1);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}
