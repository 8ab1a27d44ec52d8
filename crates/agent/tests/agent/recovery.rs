//! Agents that are killed, and machines that are restarted.

use std::os::unix::fs::MetadataExt as _;

use http::StatusCode;
use nodepanel_supervise::process::{Launch, Signal};
use nodepanel_types::{
    state::PowerAction,
    wire::{ActivityKind, CommandRequest, path},
};

use crate::harness::{DEADLINE, Home, PROGRAM, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_agent_takes_up_the_running_game_without_a_gap_in_its_console() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["count"]);
    agent.power(&mut desired, PowerAction::Start).await;
    let before = agent.wait_for_state(desired.server, "running").await;
    agent.agent.close().await;

    let agent = home.agent().await;
    let after = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(before.phase.run(), after.phase.run(), "the same process");
    assert_eq!(after.power_serial, before.power_serial);
    let numbers: Vec<u64> = agent.lines(&path::console(desired.server)).await.iter().map(|line| line.n).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(numbers.first(), Some(&1));
    agent.command(desired.server, "still here").await;
    agent.wait_for_words(desired.server, "got still here").await;
    agent.power(&mut desired, PowerAction::Kill).await;
    agent.wait_for_state(desired.server, "stopped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_game_survives_kill_9_of_its_agent() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["count"]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.agent.close().await;
    for turn in 1..=3 {
        let process = Launch::new(PROGRAM).args(["agent", &home.path().to_string_lossy()]).start().unwrap();
        home.wait_for_activity("took up 1 game server", turn).await;
        process.signal(Signal::KILL).unwrap();
        process.ended().await.unwrap();
    }
    let agent = home.agent().await;
    let running = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(running.automatic_restarts, 0);
    let activity: Vec<_> = agent.activity(desired.server).await;
    assert!(activity.iter().all(|entry| entry.kind == ActivityKind::Power || entry.kind == ActivityKind::Install));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_hangs_holds_up_nobody_and_is_not_taken_for_a_stopped_server() {
    let home = Home::new();
    let agent = home.agent().await;
    let (mut hung, mut healthy) = (server(&[]), server(&[]));
    for desired in [&mut hung, &mut healthy] {
        agent.power(desired, PowerAction::Start).await;
    }
    let before = agent.wait_for_state(hung.server, "running").await;
    agent.wait_for_state(healthy.server, "running").await;
    agent.agent.close().await;
    let keepers = home.shims();
    let keeper = keepers.iter().find(|keeper| home.is_keeper_of(keeper, hung.server)).unwrap();
    keeper.signal(Signal::STOP).unwrap();

    let agent = home.agent().await;
    agent.wait_for_state(healthy.server, "running").await;
    agent.command(healthy.server, "nobody waits for the other").await;
    let looking = agent.wait_for(hung.server, |observed| observed.looking).await;
    assert_eq!(looking.automatic_restarts, 0);
    let command = CommandRequest { v: 1, line: "once".to_owned(), key: "k1".to_owned() };
    let (status, content) = agent.post(&path::command(hung.server), &command).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "what is not known yet is no refusal: {content}");

    keeper.signal(Signal::CONT).unwrap();
    let after = agent.wait_for(hung.server, |observed| !observed.looking).await;
    assert_eq!(before.phase.run(), after.phase.run(), "the same process");
    assert_eq!(agent.post(&path::command(hung.server), &command).await.0, StatusCode::OK);
    agent.wait_for_words(hung.server, "got once").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_reboot_what_should_run_runs_and_what_was_stopped_stays() {
    let home = Home::new();
    let mut config = home.config();
    config.boot = Some("first".to_owned());
    let agent = home.agent_with(config.clone()).await.unwrap();
    let (mut wanted, mut stopped) = (server(&[]), server(&[]));
    agent.power(&mut wanted, PowerAction::Start).await;
    agent.power(&mut stopped, PowerAction::Start).await;
    agent.wait_for_state(wanted.server, "running").await;
    agent.wait_for_state(stopped.server, "running").await;
    agent.power(&mut stopped, PowerAction::Stop).await;
    agent.wait_for_state(stopped.server, "stopped").await;
    agent.agent.close().await;
    for shim in home.shims() {
        shim.signal(Signal::KILL).unwrap();
    }

    config.boot = Some("second".to_owned());
    let agent = home.agent_with(config).await.unwrap();
    let running = agent.wait_for_state(wanted.server, "running").await;
    assert_eq!(running.automatic_restarts, 0, "a reboot is no crash");
    let activity = agent.activity(wanted.server).await;
    assert!(activity.iter().any(|entry| entry.kind == ActivityKind::Recovery && entry.text.contains("machine")));
    agent.wait_for_state(stopped.server, "stopped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_were_stopped_together_are_started_by_the_next_agent() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    assert_eq!(agent.agent.stop_servers(DEADLINE).await, 0);
    agent.agent.close().await;
    let agent = home.agent().await;
    let running = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(running.automatic_restarts, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loss_of_all_records_neither_ends_nor_doubles_a_game() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.power(&mut desired, PowerAction::Restart).await;
    let before = agent
        .wait_for(desired.server, |observed| observed.power_serial == 2 && observed.phase.state().as_str() == "running")
        .await;
    let owned_by = || std::fs::metadata(home.server(desired.server).join("files")).unwrap().uid();
    let (user, held) = (uid(&home, desired.server), owned_by());
    agent.agent.close().await;
    closed(&home.path().join("agent/agent.db")).await;
    for name in ["agent.db", "agent.db-wal", "agent.db-shm"] {
        let _ = std::fs::remove_file(home.path().join("agent").join(name));
    }
    let agent = home.agent().await;
    agent.apply(&desired).await;
    let after = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(before.phase.run(), after.phase.run());
    if rustix::process::geteuid().is_root() {
        assert_eq!((uid(&home, desired.server), owned_by()), (user, held), "its files stay its own");
        assert_eq!(user, held);
    }
}

/// Waits until this process has no descriptor of a database any more: whoever closes it takes its log away, by name.
async fn closed(database: &std::path::Path) {
    let begun = std::time::Instant::now();
    let open = || {
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
        descriptors.flatten().any(|entry| std::fs::read_link(entry.path()).is_ok_and(|file| file == database))
    };
    while open() {
        assert!(begun.elapsed() < crate::harness::DEADLINE, "{} stays open", database.display());
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// The user that the records give to a server.
fn uid(home: &Home, server: nodepanel_types::ServerId) -> u32 {
    let database = rusqlite::Connection::open(home.path().join("agent/agent.db")).unwrap();
    database.query_row("SELECT uid FROM servers WHERE id = ?1", [server.to_string()], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_damaged_database_and_a_bad_directory_are_reported_in_words() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("agent")).unwrap();
    std::fs::write(home.path().join("agent/agent.db"), vec![7; 8_192]).unwrap();
    let Err(error) = home.agent_with(home.config()).await else { panic!("a damaged database was opened") };
    assert!(error.to_string().contains("damaged"), "{error}");

    let home = Home::new();
    std::fs::write(home.path().join("agent"), "a file").unwrap();
    let Err(error) = home.agent_with(home.config()).await else { panic!("a file was taken for a directory") };
    assert!(error.to_string().contains("cannot be used"), "{error}");

    let home = Home::new();
    let _first = home.agent().await;
    let Err(error) = home.agent_with(home.config()).await else { panic!("two agents share a directory") };
    assert!(error.to_string().contains("another agent"), "{error}");
}
