//! The records of an earlier agent are taken up by this one.

use std::{fs, path::Path};

use nodepanel_types::{
    ServerId,
    state::PowerAction,
    wire::{ApplyOutcome, DesiredServer},
};

use crate::harness::{Home, server};

const OLD: &str = include_str!("../fixtures/agent-v1.sql");
const SERVER: &str = "01a2033a-7600-775f-88f5-34762226fc49";
const REMOVED: &str = "01a2033a-7600-775f-88f5-000000000002";

fn open(database: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(database).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_the_first_form_is_taken_up() {
    let home = Home::new();
    let database = home.path().join("agent/agent.db");
    fs::create_dir(database.parent().unwrap()).unwrap();
    open(&database).execute_batch(OLD).unwrap();
    let id: ServerId = SERVER.parse().unwrap();

    let agent = home.agent().await;
    let stopped = agent.wait_for_state(id, "stopped").await;
    assert_eq!((stopped.generation, stopped.power_serial), (2, 2));
    assert!(stopped.phase.reason().contains("SIGTERM"), "{}", stopped.phase.reason());
    let activity = agent.activity(id).await;
    assert_eq!((activity.len(), activity[0].text.as_str()), (5, "Stopped; it was ended by SIGTERM."));

    // It runs again as what it was, with the user that it had.
    let json: String =
        open(&database).query_row("SELECT desired FROM servers WHERE id = ?1", [SERVER], |row| row.get(0)).unwrap();
    let mut desired: DesiredServer = serde_json::from_str(&json).unwrap();
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(id, "running").await;
    let uid: u32 =
        open(&database).query_row("SELECT uid FROM servers WHERE id = ?1", [SERVER], |row| row.get(0)).unwrap();
    assert_eq!(uid, 200_000);

    // What was removed stays removed, and its user is nobody else's.
    let mut removed = server(&[]);
    removed.server = REMOVED.parse().unwrap();
    assert!(matches!(agent.apply(&removed).await, ApplyOutcome::Stale { .. }));
    let new = server(&[]);
    assert_eq!(agent.apply(&new).await, ApplyOutcome::Applied);
    let id = new.server.to_string();
    let uid: u32 = open(&database).query_row("SELECT uid FROM servers WHERE id = ?1", [id], |row| row.get(0)).unwrap();
    assert_eq!(uid, 200_002);
}
