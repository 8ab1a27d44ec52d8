//! The ordinary life of a server.

use nodepanel_types::{
    state::{Phase, PowerAction, StopReason},
    wire::{ApplyOutcome, LineKind, path},
};

use crate::harness::{Frames, Home, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_started_typed_to_and_stopped() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    assert_eq!(agent.apply(&desired).await, ApplyOutcome::Applied);
    let stopped = agent.wait_for_state(desired.server, "stopped").await;
    assert_eq!(stopped.phase, Phase::Stopped { reason: StopReason::NeverStarted });

    agent.power(&mut desired, PowerAction::Start).await;
    let running = agent.wait_for_state(desired.server, "running").await;
    assert_eq!((running.generation, running.power_serial), (2, 1));

    let number = agent.command(desired.server, "hello").await;
    agent.wait_for_words(desired.server, "got hello").await;
    let lines = agent.lines(&path::console(desired.server)).await;
    let typed = lines.iter().find(|line| line.n == number).unwrap();
    assert_eq!((typed.k, typed.s.as_str()), (LineKind::In, "hello"));

    agent.power(&mut desired, PowerAction::Stop).await;
    let stopped = agent.wait_for_state(desired.server, "stopped").await;
    let Phase::Stopped { reason: StopReason::Asked { killed, .. } } = stopped.phase else { panic!("{stopped:?}") };
    assert!(!killed);
    assert!(agent.console(desired.server).await.contains("saved"), "the log outlives the shim");

    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.power(&mut desired, PowerAction::Restart).await;
    let serial = desired.power.serial;
    let again = agent
        .wait_for(desired.server, |observed| {
            observed.power_serial == serial && observed.phase.state().as_str() == "running"
        })
        .await;
    assert_eq!(again.automatic_restarts, 0);
    let numbers: Vec<u64> = agent.lines(&path::console(desired.server)).await.iter().map(|line| line.n).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "numbers have no gap over restarts: {numbers:?}");
    agent.agent.stop_servers(crate::harness::DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_wins_over_a_stop_that_hangs() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["deaf"]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopping").await;
    agent.power(&mut desired, PowerAction::Kill).await;
    let stopped = agent.wait_for_state(desired.server, "stopped").await;
    let Phase::Stopped { reason: StopReason::Asked { killed, .. } } = stopped.phase else { panic!("{stopped:?}") };
    assert!(killed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_hangs_ends_in_a_kill_when_its_time_is_up() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["deaf"]);
    desired.launch.stop_timeout_ms = 300;
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    agent.power(&mut desired, PowerAction::Stop).await;
    let stopped = agent.wait_for_state(desired.server, "stopped").await;
    let Phase::Stopped { reason: StopReason::Asked { killed, .. } } = stopped.phase else { panic!("{stopped:?}") };
    assert!(killed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_follows_the_console_across_restarts_without_a_gap() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["count"]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let mut frames = Frames::open(&agent, &format!("{}?follow=true", path::console(desired.server))).await;
    agent.power(&mut desired, PowerAction::Restart).await;
    let (mut last, mut begun) = (0, 0);
    while begun < 2 {
        let frame: nodepanel_types::wire::ConsoleFrame = frames.next().await;
        match frame {
            nodepanel_types::wire::ConsoleFrame::Line(line) => {
                assert_eq!(line.n, last + 1, "no line is missing, none comes twice: {line:?}");
                last = line.n;
                begun += i32::from(line.s.contains("ready to play"));
            }
            nodepanel_types::wire::ConsoleFrame::Gap { gap } => panic!("{gap:?}"),
            nodepanel_types::wire::ConsoleFrame::At { .. } => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_server_is_gone_and_does_not_come_back() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    assert!(home.server(desired.server).join("files").is_dir());
    agent.remove(&desired).await;
    let begun = std::time::Instant::now();
    while home.server(desired.server).exists() || !agent.observed().await.is_empty() {
        assert!(begun.elapsed() < crate::harness::DEADLINE, "{:?}", agent.observed().await);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    desired.generation += 5;
    assert!(matches!(agent.apply(&desired).await, ApplyOutcome::Stale { .. }));
    agent.agent.close().await;
    let agent = home.agent().await;
    assert!(matches!(agent.apply(&desired).await, ApplyOutcome::Stale { .. }), "also after a restart of the agent");
}
