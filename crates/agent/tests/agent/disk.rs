//! A full disk: games go on, what cannot be written down is kept, and nobody has to do anything when there is room.

use std::{fs, io::Write as _, path::PathBuf, process::Command};

use http::StatusCode;
use nodepanel_supervise::process::{Process, Signal};
use nodepanel_types::{
    state::PowerAction,
    wire::{ActivityKind, CommandRequest, NodeFrame, path},
};

use crate::harness::{Frames, Home, server};

/// A small file system, which only root can have.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(home: &Home) -> Option<Self> {
        let place = home.path().to_owned();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs"]).arg(&place).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(place))
    }

    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        for size in [65_536, 4_096, 1] {
            while ballast.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_nothing_that_runs_and_loses_nothing_that_happened() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home) else {
        eprintln!("skipped: only root can mount a small disk");
        return;
    };
    let agent = home.agent().await;
    let (mut healthy, mut victim) = (server(&[]), server(&[]));
    let mut runs = Vec::new();
    for desired in [&mut healthy, &mut victim] {
        agent.power(desired, PowerAction::Start).await;
        runs.push(agent.wait_for_state(desired.server, "running").await.phase.run().unwrap());
    }
    disk.fill();
    let mut refused = None;
    for n in 0..400 {
        let request = CommandRequest { v: 1, line: "hello".to_owned(), key: format!("key-{n}") };
        let (status, content) = agent.post(&path::command(healthy.server), &request).await;
        if status != StatusCode::OK {
            refused = Some((status, content));
            break;
        }
    }
    let (status, content) = refused.expect("a full disk is noticed");
    assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
    assert!(content.contains("disk_full") && !content.contains(home.path().to_str().unwrap()), "{content}");
    let NodeFrame::Hello(facts) = Frames::open(&agent, path::EVENTS).await.next().await else { panic!("no hello") };
    assert!(facts.warnings.iter().any(|warning| warning.contains("is full")), "{:?}", facts.warnings);

    Process::open(runs[1].pid).unwrap().unwrap().signal(Signal::KILL).unwrap();
    agent.wait_for(victim.server, |seen| seen.phase.run() != Some(runs[1])).await;
    disk.empty();
    agent.wait_for(victim.server, |seen| seen.phase.state().as_str() == "running").await;
    agent.command(healthy.server, "there is room again").await;
    let still = agent.wait_for_state(healthy.server, "running").await;
    assert_eq!(still.phase.run(), Some(runs[0]), "what ran was left alone");
    let mut events = Frames::open(&agent, path::EVENTS).await;
    let NodeFrame::Hello(facts) = events.next().await else { panic!("no hello") };
    assert!(!facts.warnings.iter().any(|warning| warning.contains("is full")), "{:?}", facts.warnings);
    let crashes = async || {
        let activity = agent.activity(victim.server).await;
        activity.into_iter().filter(|entry| entry.kind == ActivityKind::Crash && entry.text.contains("SIGKILL")).count()
    };
    let begun = std::time::Instant::now();
    while crashes().await == 0 && begun.elapsed() < crate::harness::DEADLINE {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(crashes().await, 1, "it is told, and once");
    for desired in [&mut healthy, &mut victim] {
        agent.power(desired, PowerAction::Stop).await;
        agent.wait_for_state(desired.server, "stopped").await;
    }
}
