//! Games that end unasked-for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nodepanel_supervise::process::Signal;
use nodepanel_types::{
    ServerId,
    state::{Exit, Phase, PowerAction},
    wire::ActivityKind,
};

use crate::harness::{Home, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_is_answered_with_a_restart_and_a_reason() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.crash.first_delay_ms = 300;
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.command(desired.server, "crash").await;
    let crashed = agent.wait_for_state(desired.server, "crashed").await;
    let Phase::Crashed { exit, crashes, .. } = crashed.phase else { panic!("{crashed:?}") };
    assert_eq!((exit, crashes), (Exit::Code { code: 3 }, 1));
    let running = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(running.automatic_restarts, 1);
    let activity = agent.activity(desired.server).await;
    let crash = activity.iter().find(|entry| entry.kind == ActivityKind::Crash).unwrap();
    assert!(crash.automatic && crash.text.contains("exit code 3"), "{}", crash.text);
    assert!(activity.iter().any(|entry| entry.kind == ActivityKind::Restart && entry.automatic));
    let console = agent.console(desired.server).await;
    let ends: Vec<&str> = console.lines().filter(|line| line.contains("exit code 3")).collect();
    assert_eq!(ends, ["The server ended with exit code 3."], "told once: {console}");
    assert!(console.contains("\nIt is started again in 300 ms.\n"), "{console}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reason_names_no_path_of_the_host_and_nothing_is_left_behind() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.crash.first_delay_ms = 60_000;
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopped").await;
    assert_eq!(groups(desired.server), Vec::<PathBuf>::new());

    // Its directory is in the way of itself.
    let files = home.server(desired.server).join("files");
    fs::remove_dir_all(&files).unwrap();
    fs::write(&files, "").unwrap();
    agent.power(&mut desired, PowerAction::Start).await;
    let crashed = agent.wait_for_state(desired.server, "crashed").await;
    let reason = crashed.phase.reason();
    assert!(reason.contains("could not be started") && reason.contains("directory"), "{reason}");
    assert!(!reason.contains('/'), "{reason}");
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopped").await;
    assert_eq!(groups(desired.server), Vec::<PathBuf>::new());
}

/// The control groups of a server that are there.
fn groups(server: ServerId) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    hierarchies
        .chain([root.to_owned()])
        .map(|hierarchy| hierarchy.join("nodepanel").join(server.to_string()))
        .filter(|group| group.exists())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loop_is_called_one_and_ends_when_the_cause_is_gone() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["crash"]);
    agent.power(&mut desired, PowerAction::Start).await;
    let looping = agent.wait_for_state(desired.server, "crash_looping").await;
    assert!(looping.phase.reason().contains("times in a row"), "{}", looping.phase.reason());
    desired.launch.command.pop();
    desired.generation += 1;
    agent.apply(&desired).await;
    agent.wait_for_state(desired.server, "running").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_does_not_exist_is_a_crash_with_the_systems_words() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.launch.command = vec!["/nonexistent/program".to_owned()];
    agent.power(&mut desired, PowerAction::Start).await;
    let crashed = agent
        .wait_for(desired.server, |observed| {
            matches!(observed.phase, Phase::Crashed { .. } | Phase::CrashLooping { .. })
        })
        .await;
    assert!(crashed.phase.reason().contains("could not be started"), "{}", crashed.phase.reason());
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_shim_is_replaced_at_once_and_the_reason_says_so() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    let first = agent.wait_for_state(desired.server, "running").await.phase.run().unwrap();
    for shim in home.shims() {
        shim.signal(Signal::KILL).unwrap();
    }
    let second = agent
        .wait_for(desired.server, |observed| {
            observed.phase.state().as_str() == "running" && observed.phase.run() != Some(first)
        })
        .await;
    assert_eq!(second.automatic_restarts, 1);
    let activity = agent.activity(desired.server).await;
    let crash = activity.iter().find(|entry| entry.kind == ActivityKind::Crash).unwrap();
    assert!(crash.text.contains("keeps its console was killed"), "{}", crash.text);
    let mut components = agent.agent.components();
    let shims = components.wait_for(|shims| shims.iter().any(|shim| shim.restarts == 1)).await.unwrap();
    assert!(shims[0].last_recovery_ms.is_some() && shims[0].pid.is_some(), "{shims:?}");
}
