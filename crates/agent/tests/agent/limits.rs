//! Users, limits and statistics.

use nodepanel_types::{
    state::{Exit, Phase, PowerAction},
    stats::StatsSeries,
    wire::{NodeFrame, path},
};

use crate::harness::{Frames, Home, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_needs_too_much_memory_is_ended_and_says_so() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut events = Frames::open(&agent, path::EVENTS).await;
    let NodeFrame::Hello(facts) = events.next().await else { panic!("hello comes first") };
    if let Some(warning) = facts.warnings.iter().find(|warning| warning.contains("not enforced")) {
        eprintln!("not tested, because limits cannot be set here: {warning}");
        return;
    }
    let mut desired = server(&["hog"]);
    desired.limits.memory_mib = Some(48);
    desired.crash.first_delay_ms = 60_000;
    agent.power(&mut desired, PowerAction::Start).await;
    let crashed = agent.wait_for_state(desired.server, "crashed").await;
    let Phase::Crashed { exit, .. } = &crashed.phase else { panic!("{crashed:?}") };
    assert_eq!(*exit, Exit::OutOfMemory { limit_bytes: 48 * 1024 * 1024 }, "{}", crashed.phase.reason());
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.remove(&desired).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_have_users_of_their_own_when_the_agent_is_root() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested, because only root can give servers users of their own");
        return;
    }
    let home = Home::new();
    let agent = home.agent().await;
    let (mut one, mut two) = (server(&[]), server(&[]));
    let mut users = Vec::new();
    for desired in [&mut one, &mut two] {
        agent.power(desired, PowerAction::Start).await;
        agent.wait_for_state(desired.server, "running").await;
        let console = agent.console(desired.server).await;
        let words = console.lines().find(|line| line.starts_with("ready to play as ")).unwrap();
        users.push(words.split(' ').nth(4).unwrap().parse::<u32>().unwrap());
    }
    assert!(users[0] >= 20_480 && users[1] >= 20_480 && users[0] != users[1], "{users:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_are_told_every_second_and_kept() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&["count"]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let mut events = Frames::open(&agent, path::EVENTS).await;
    let sample = loop {
        if let NodeFrame::Stats { servers, node } = events.next().await {
            assert!(node.cpus > 0 && node.memory_total_bytes > 0);
            if let Some(sample) = servers.iter().find(|sample| sample.sample.cpu_percent.is_some()) {
                break sample.sample;
            }
        }
    };
    assert!(sample.memory_bytes.unwrap() > 0);
    let hour: StatsSeries = agent.get(&format!("{}?window=hour", path::stats(desired.server))).await;
    assert!(!hour.samples.is_empty() && hour.step_s == 1);
    let week: StatsSeries = agent.get(&format!("{}?window=week", path::stats(desired.server))).await;
    assert_eq!(week.step_s, 60);
}
