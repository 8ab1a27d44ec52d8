//! The keeper with real processes: it outlives the rest, and the rest outlives it.
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, time::Duration};

use crate::installation::{Installation, install, send, within};
use nodepanel_supervise::{
    build::{Builds, Print},
    process::{Ending, Process, Signal},
};
use nodepanel_types::component::{Component, ComponentState, Observer, Occasion, Role};
use tokio::{net::TcpStream, time::timeout};

async fn keep(installation: &Installation, workers: usize) -> Process {
    kept(installation, installation.launch("keep", workers), workers).await
}

async fn kept(installation: &Installation, keeper: Process, workers: usize) -> Process {
    within("the supervisor", async || {
        assert!(keeper.is_running(), "the keeper ended: {}", installation.log("keep"));
        installation.components().await
    })
    .await;
    installation.ready(workers).await;
    keeper
}

async fn supervisor_pid(installation: &Installation) -> Option<u32> {
    installation.components().await?.first()?.pid
}

#[tokio::test]
async fn the_supervisor_is_started_again_and_nothing_is_refused() {
    let installation = Installation::new();
    let _keeper = keep(&installation, 1).await;
    let before = installation.ready(1).await;
    installation.recorded(1).await;
    let first = supervisor_pid(&installation).await;
    send(first, Signal::KILL);
    let own = within("the next supervisor", async || {
        let own = installation.components().await?.into_iter().next()?;
        (own.pid != first && own.last_recovery_ms.is_some()).then_some(own)
    })
    .await;
    assert_eq!((own.restarts, own.last_exit.as_deref()), (1, Some("was killed by SIGKILL")));
    println!("supervision back after {} ms", own.last_recovery_ms.unwrap());
    let after = installation.ready(1).await;
    assert_eq!((after[0].pid, after[0].restarts), (before[0].pid, 0));
}

#[tokio::test]
async fn the_announced_end_of_the_supervisor_is_a_drill() {
    let installation = Installation::new();
    let _keeper = keep(&installation, 1).await;
    installation.recorded(1).await;
    let first = supervisor_pid(&installation).await;
    installation.control().await.announce("supervisor", Duration::from_secs(30), "drill").await.unwrap();
    for (occasion, restarts) in [(Occasion::Drill, 0), (Occasion::Fault, 1)] {
        let before = supervisor_pid(&installation).await;
        send(before, Signal::KILL);
        let own = within("the next supervisor", async || {
            let own = installation.components().await?.into_iter().next()?;
            let proof = own.supervision.proof.as_ref()?;
            (own.pid != before && own.pid != first && proof.occasion == occasion).then_some(own)
        })
        .await;
        assert_eq!(own.restarts, restarts, "{own:?}");
        installation.recorded(1).await;
    }
}

#[tokio::test]
async fn in_the_window_each_is_ended_in_turn_and_seen_to_come_back() {
    let installation = Installation::new();
    installation.tell("renewal", "now");
    let _keeper = keep(&installation, 2).await;
    let proven = within("every proof", async || {
        let components = installation.components().await?;
        let proven = |component: &Component| component.supervision.proof.is_some() || component.role == Role::Keeper;
        components.iter().all(proven).then_some(components)
    })
    .await;
    for component in proven.iter().filter(|component| component.role != Role::Keeper) {
        let proof = component.supervision.proof.as_ref().unwrap();
        assert_eq!((proof.occasion, component.restarts), (Occasion::Drill, 0), "{component:?}");
        assert!(proof.why.ends_with("on purpose (to renew its proof)"), "{proof:?}");
    }
    let recoveries = installation.control().await.recoveries(10).await.unwrap();
    let order: Vec<&str> = recoveries.iter().map(|recovery| recovery.component.as_str()).collect();
    assert_eq!(order, ["api-1", "api-2", "supervisor"], "one at a time, and each once");
    assert_eq!(recoveries[2].observed_by, Some(Observer::Keeper));
    let renewal = installation.control().await.renewal().await.unwrap().unwrap();
    assert!(renewal.until.is_some() && renewal.last.is_some_and(|last| last.renewed), "the last result is known");
}

#[tokio::test]
async fn who_does_not_come_back_ends_the_renewal() {
    let installation = Installation::new();
    // Nobody is back in no time at all.
    installation.tell("renewal", "impatient");
    let _keeper = keep(&installation, 2).await;
    installation.control().await.renew_proofs().await.unwrap();
    let last = within("the halt", async || {
        let renewal = installation.control().await.renewal().await.ok()??;
        renewal.last.filter(|last| !last.renewed)
    })
    .await;
    assert_eq!(last.component, "api-1");
    assert!(last.text.contains("is its target"), "{last:?}");
    installation.ready(2).await;
    let renewal = installation.control().await.renewal().await.unwrap().unwrap();
    assert!(renewal.asked.is_empty() && renewal.renewing.is_none(), "{renewal:?}");
    assert!(installation.component("api-2").await.supervision.proof.is_none(), "nobody else was ended");
}

#[tokio::test]
async fn connections_queue_while_everything_but_the_keeper_is_dead() {
    let installation = Installation::new();
    let _keeper = keep(&installation, 1).await;
    installation.recorded(1).await;
    for _ in 0..3 {
        let worker = installation.ready(1).await[0].pid;
        send(supervisor_pid(&installation).await, Signal::KILL);
        send(worker, Signal::KILL);
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let connected = TcpStream::connect(installation.address).await;
            assert!(connected.is_ok(), "{connected:?}; the keeper says: {}", installation.log("keep"));
            waiting.push(connected);
        }
        within("an answer", async || installation.answer().await).await;
        within("a new worker", async || {
            let worker_now =
                installation.components().await?.into_iter().find(|component| component.name == "api-1")?;
            (worker_now.state == ComponentState::Ready && worker_now.pid != worker).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_interrupt_stops_what_the_keeper_keeps() {
    let installation = Installation::new();
    let keeper = keep(&installation, 2).await;
    keeper.signal(Signal::INT).unwrap();
    assert_eq!(keeper.ended().await.unwrap(), Ending::Exited { code: 0 });
    assert!(installation.answer().await.is_none(), "somebody still listens");
    assert!(installation.components().await.is_none());
}

#[tokio::test]
async fn a_second_interrupt_does_not_wait_for_the_stubborn() {
    let installation = Installation::new();
    installation.tell("api-1", "stubborn");
    let keeper = keep(&installation, 1).await;
    let worker = Process::open(installation.ready(1).await[0].pid.unwrap()).unwrap().unwrap();
    installation.recorded(1).await;
    keeper.signal(Signal::INT).unwrap();
    within("the first interrupt", async || {
        let components = installation.components().await?;
        (components.first()?.state == ComponentState::Draining).then_some(())
    })
    .await;
    keeper.signal(Signal::INT).unwrap();
    assert_eq!(keeper.ended().await.unwrap(), Ending::Exited { code: 0 });
    assert!(!worker.is_running());
    // It was asked for, so the next start counts no crash.
    let _next = keep(&installation, 1).await;
    assert_eq!(installation.component("supervisor").await.restarts, 0);
}

#[tokio::test]
async fn a_stop_from_the_command_line_ends_the_keeper_too() {
    let installation = Installation::new();
    let keeper = keep(&installation, 1).await;
    installation.control().await.stop(false).await.unwrap();
    assert_eq!(keeper.ended().await.unwrap(), Ending::Exited { code: 0 });
}

#[tokio::test]
async fn the_next_keeper_takes_over_the_supervisor_and_copies_of_the_sockets() {
    let installation = Installation::new();
    let keeper = keep(&installation, 1).await;
    installation.recorded(1).await;
    let second = installation.launch("keep", 1);
    assert!(!second.ended().await.unwrap().is_success());
    assert!(installation.log("keep").contains("`nodepanel up` already runs for"), "{}", installation.log("keep"));
    let (supervisor, worker) = (supervisor_pid(&installation).await, installation.ready(1).await[0].pid);
    keeper.signal(Signal::KILL).unwrap();
    keeper.ended().await.unwrap();
    let next = keep(&installation, 1).await;
    assert_eq!((supervisor_pid(&installation).await, installation.ready(1).await[0].pid), (supervisor, worker));
    // It holds the sockets: with everybody else dead, connections still queue.
    within("the copies", async || holds_socket(&next, &installation)).await;
    send(supervisor, Signal::KILL);
    send(worker, Signal::KILL);
    timeout(Duration::from_secs(5), TcpStream::connect(installation.address)).await.unwrap().unwrap();
    within("an answer", async || installation.answer().await).await;
}

#[tokio::test]
async fn with_keeper_and_supervisor_dead_the_sockets_come_back_from_the_workers() {
    let installation = Installation::new();
    let keeper = keep(&installation, 1).await;
    installation.recorded(1).await;
    let worker = installation.ready(1).await[0].pid;
    keeper.signal(Signal::KILL).unwrap();
    keeper.ended().await.unwrap();
    send(supervisor_pid(&installation).await, Signal::KILL);
    let _next = keep(&installation, 1).await;
    assert_eq!(installation.ready(1).await[0].pid, worker);
    assert!(installation.answer().await.is_some());
}

#[tokio::test]
async fn an_address_in_use_is_reported_at_once() {
    let installation = Installation::new();
    let _taken = TcpListener::bind(installation.address).unwrap();
    let keeper = installation.launch("keep", 1);
    assert!(!keeper.ended().await.unwrap().is_success());
    let log = installation.log("keep");
    assert!(log.contains(&format!("{} (the http address) is already in use by", installation.address)), "{log}");
    assert!(log.contains(&format!("(process {})", std::process::id())), "{log}");
}

/// Whether the process has the listening socket open, by its inode in `/proc/net/tcp`.
fn holds_socket(process: &Process, installation: &Installation) -> Option<()> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{:04X} 00000000:0000 0A ", installation.address.port());
    let inode = table.lines().find(|line| line.contains(&port))?.split_ascii_whitespace().nth(9)?;
    let inode = format!("socket:[{inode}]");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).ok()?.flatten();
    descriptors
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|link| link.to_str() == Some(&inode))
        .then_some(())
}

/// The build that a process runs.
fn runs(process: &Process) -> Option<Print> {
    Print::of(format!("/proc/{}/exe", process.pid()).as_ref()).ok()
}

#[tokio::test]
async fn it_goes_on_as_a_build_that_has_proven_itself_and_as_no_other() {
    let installation = Installation::new();
    let program = installation.data_dir.join("program");
    install(&program);
    let keeper = kept(&installation, installation.launch_as(&program, "keep", 1), 1).await;
    let supervisor = supervisor_pid(&installation).await;
    let first = runs(&keeper);

    // One that nobody has proven is left alone, and so is one that cannot go on, proven or not.
    fs::write(program.with_extension("bad"), "#!/bin/sh\ntouch \"$0.tried\"\nexit 1\n").unwrap();
    fs::set_permissions(program.with_extension("bad"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(program.with_extension("bad"), &program).unwrap();
    let tried = installation.data_dir.join("program.tried");
    assert!(!tried.exists());
    Builds::open(&installation.data_dir).keep(&program, Print::of(&program).unwrap()).unwrap();
    within("the trial", async || tried.exists().then_some(())).await;
    assert_eq!(runs(&keeper), first);

    // Connections are made all the while, and none is refused.
    install(&program);
    let second = Print::of(&program).unwrap();
    Builds::open(&installation.data_dir).keep(&program, second).unwrap();
    within("the next image", async || {
        TcpStream::connect(installation.address).await.unwrap();
        (runs(&keeper) == Some(second)).then_some(())
    })
    .await;
    let actions = within("the record", async || {
        let actions = installation.control().await.recoveries(10).await.ok()?;
        actions.into_iter().find(|action| action.component == "keeper" && action.what.contains("went on"))
    })
    .await;
    println!("the keeper was away for {} ms", actions.took_ms.unwrap());
    assert!(keeper.is_running());
    assert_eq!(supervisor_pid(&installation).await, supervisor);

    // It is still the parent, which alone learns how the supervisor ends, and still holds the sockets and its lock.
    send(supervisor, Signal::KILL);
    let own = within("the next supervisor", async || {
        let own = installation.components().await?.into_iter().next()?;
        (own.pid != supervisor && own.last_recovery_ms.is_some()).then_some(own)
    })
    .await;
    assert_eq!(own.last_exit.as_deref(), Some("was killed by SIGKILL"));
    installation.ready(1).await;
    let second_keeper = installation.launch_as(&program, "keep", 1);
    assert_ne!(second_keeper.ended().await.unwrap(), Ending::Exited { code: 0 });
    keeper.signal(Signal::INT).unwrap();
    assert_eq!(keeper.ended().await.unwrap(), Ending::Exited { code: 0 });
    assert!(installation.answer().await.is_none(), "somebody still listens");
}
