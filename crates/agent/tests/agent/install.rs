//! Installations.

use std::{fs, time::Instant};

use nodepanel_supervise::process::{Launch, Signal};
use nodepanel_types::{
    state::{Phase, PowerAction},
    wire::{FileSpec, InstallState, InstallStep, path},
};

use crate::harness::{DEADLINE, Home, PROGRAM, script, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_run_in_order_in_the_servers_directory_and_leave_a_log() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.install = vec![
        script("Fetch", "echo fetched > data; echo fetching"),
        InstallStep::File {
            file: FileSpec {
                path: "config/server.txt".to_owned(),
                content: "port=1".to_owned(),
                keep_existing: false,
                executable: false,
            },
        },
        script("Check", "cat data config/server.txt; test \"$HOME\" = \"$PWD\""),
    ];
    agent.power(&mut desired, PowerAction::Start).await;
    let running = agent.wait_for_state(desired.server, "running").await;
    assert!(matches!(running.install, InstallState::Succeeded { serial: 1, .. }), "{:?}", running.install);
    let log = agent.lines(&path::install_log(desired.server)).await;
    let words: Vec<&str> = log.iter().map(|line| line.s.as_str()).collect();
    for expected in ["Step 1 of 3: Fetch", "fetching", "fetched", "port=1", "The installation is complete."] {
        assert!(words.contains(&expected), "{expected}: {words:?}");
    }
    assert!(log.windows(2).all(|pair| pair[1].n == pair[0].n + 1));
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::MetadataExt as _;
        let owner = fs::metadata(home.server(desired.server).join("files/data")).unwrap().uid();
        assert!(owner >= 20_480, "{owner}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_quotes_the_last_words_and_waits_for_the_next_serial() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.install = vec![script("Fetch", "echo the mirror is gone; exit 4")];
    agent.power(&mut desired, PowerAction::Start).await;
    let failed = agent.wait_for_state(desired.server, "stopped").await;
    let reason = failed.phase.reason();
    for expected in ["Fetch", "exit code 4", "the mirror is gone"] {
        assert!(reason.contains(expected), "{reason}");
    }
    let log = agent.lines(&path::install_log(desired.server)).await;
    assert_eq!(log.iter().filter(|line| line.s == "the mirror is gone").count(), 2, "it was tried twice");
    desired.install.clear();
    desired.install_serial += 1;
    desired.generation += 1;
    agent.apply(&desired).await;
    agent.wait_for_state(desired.server, "running").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_that_hangs_ends_with_its_time() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.install = vec![script("Hang", "sleep 600")];
    desired.install_timeout_ms = 500;
    agent.apply(&desired).await;
    let failed = agent.wait_for_state(desired.server, "stopped").await;
    assert!(failed.phase.reason().contains("longer than 500 ms"), "{}", failed.phase.reason());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_wins_over_an_installation_and_so_does_removal() {
    let home = Home::new();
    let agent = home.agent().await;
    let (mut killed, mut removed) = (server(&[]), server(&[]));
    killed.install = vec![script("Hang", "sleep 600")];
    removed.install = killed.install.clone();
    agent.apply(&killed).await;
    agent.apply(&removed).await;
    for desired in [&killed, &removed] {
        agent.wait_for(desired.server, |observed| matches!(observed.install, InstallState::Running { .. })).await;
    }
    agent.power(&mut killed, PowerAction::Kill).await;
    let stopped = agent.wait_for_state(killed.server, "stopped").await;
    assert!(stopped.phase.reason().contains("Kill was asked for"), "{}", stopped.phase.reason());
    agent.power(&mut removed, PowerAction::Stop).await;
    agent.remove(&removed).await;
    let begun = Instant::now();
    while home.server(removed.server).exists() {
        assert!(begun.elapsed() < DEADLINE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_goes_on_while_its_agent_is_killed() {
    let home = Home::new();
    let mut desired = server(&[]);
    desired.install = vec![
        script("First", "echo once >> first"),
        script("Second", "echo begun >> second; while [ ! -e go ]; do sleep 0.02; done; echo done >> second"),
    ];
    let agent = home.agent().await;
    agent.power(&mut desired, PowerAction::Start).await;
    let files = home.server(desired.server).join("files");
    let begun = Instant::now();
    while fs::read_to_string(files.join("second")).unwrap_or_default() != "begun\n" {
        assert!(begun.elapsed() < DEADLINE);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    agent.agent.close().await;
    let process = Launch::new(PROGRAM).args(["agent", &home.path().to_string_lossy()]).start().unwrap();
    home.wait_for_activity("it is taken up again", 1).await;
    process.signal(Signal::KILL).unwrap();
    process.ended().await.unwrap();
    let agent = home.agent().await;
    let installing = agent.wait_for_state(desired.server, "installing").await;
    assert!(matches!(installing.phase, Phase::Installing { attempt: 1, .. }), "{installing:?}");
    fs::write(files.join("go"), "").unwrap();
    agent.wait_for_state(desired.server, "running").await;
    assert_eq!(fs::read_to_string(files.join("first")).unwrap(), "once\n", "what was done is not done again");
    assert_eq!(fs::read_to_string(files.join("second")).unwrap(), "begun\ndone\n");
}
