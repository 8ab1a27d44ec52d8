//! The supervisor and its workers: kills, hangs, crash loops, take-overs, stops.

use std::time::Duration;

use crate::installation::{Installation, send, within};
use nodepanel_supervise::{
    control::{Control, ControlError},
    process::{Ending, Signal},
};
use nodepanel_types::component::{ComponentState, Occasion};

#[tokio::test]
async fn a_killed_worker_is_replaced_and_the_recovery_is_recorded() {
    let installation = Installation::new();
    let _supervisor = installation.supervise(2).await;
    let before = installation.ready(2).await;
    send(before[0].pid, Signal::KILL);
    let after = within("the replacement", async || {
        let now = installation.components().await?;
        let first = now.into_iter().find(|component| component.name == "api-1")?;
        (first.state == ComponentState::Ready && first.pid != before[0].pid).then_some(first)
    })
    .await;
    assert_eq!(after.restarts, 1);
    assert_eq!(after.last_exit.as_deref(), Some("was killed by SIGKILL"));
    let took = after.last_recovery_ms.unwrap();
    println!("replaced and ready after {took} ms");
    let recoveries = installation.control().await.recoveries(10).await.unwrap();
    assert_eq!(recoveries.len(), 1);
    assert_eq!((recoveries[0].component.as_str(), recoveries[0].tries), ("api-1", 1));
    assert_eq!(recoveries[0].took_ms, Some(took));
    let other = installation.component("api-2").await;
    assert_eq!((other.pid, other.restarts), (before[1].pid, 0));
}

#[tokio::test]
async fn an_announced_end_is_a_drill_and_the_next_one_a_fault() {
    let installation = Installation::new();
    let _supervisor = installation.supervise(2).await;
    let within_it = Duration::from_secs(30);
    let refused = installation.control().await.announce("api-9", within_it, "drill").await.unwrap_err();
    assert!(refused.to_string().contains("api-1, api-2"), "{refused}");
    let refused = installation.control().await.announce("api-1", Duration::from_secs(61), "drill").await.unwrap_err();
    assert!(refused.to_string().contains("60 s"), "{refused}");
    installation.control().await.announce("api-1", within_it, "drill api-killed").await.unwrap();
    for (kills, restarts) in [(1, 0), (2, 1)] {
        let before = installation.ready(2).await[0].pid;
        send(before, Signal::KILL);
        let after = within("the replacement", async || {
            let first = installation.ready(2).await.swap_remove(0);
            (first.pid != before).then_some(first)
        })
        .await;
        assert_eq!(after.restarts, restarts, "only what nobody announced counts");
        let recoveries = installation.control().await.recoveries(10).await.unwrap();
        assert_eq!(recoveries.len(), kills);
    }
    let recoveries = installation.control().await.recoveries(10).await.unwrap();
    assert_eq!(recoveries[0].occasion, Some(Occasion::Drill));
    assert_eq!(recoveries[0].why, "was killed by SIGKILL, on purpose (drill api-killed)");
    assert_eq!((recoveries[1].occasion, recoveries[1].why.as_str()), (Some(Occasion::Fault), "was killed by SIGKILL"));
    // A hang that was announced is a drill, too.
    installation.control().await.announce("api-2", within_it, "drill api-hangs").await.unwrap();
    send(installation.ready(2).await[1].pid, Signal::STOP);
    let hung = within("the recovery", async || {
        let recoveries = installation.control().await.recoveries(10).await.ok()?;
        recoveries.into_iter().find(|recovery| recovery.component == "api-2")
    })
    .await;
    assert_eq!(hung.occasion, Some(Occasion::Drill), "{hung:?}");
}

#[tokio::test]
async fn no_connection_is_refused_while_every_worker_is_killed_again_and_again() {
    let installation = Installation::new();
    let _supervisor = installation.supervise(1).await;
    installation.ready(1).await;
    let address = installation.address;
    let load = tokio::spawn(async move {
        let mut refused = 0;
        for _ in 0..300 {
            refused += usize::from(tokio::net::TcpStream::connect(address).await.is_err());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        refused
    });
    let mut last = None;
    while !load.is_finished() {
        let pid = within("a new worker", async || {
            let worker = installation.components().await?.into_iter().find(|component| component.name == "api-1")?;
            worker.pid.filter(|pid| worker.state == ComponentState::Ready && Some(*pid) != last)
        })
        .await;
        last = Some(pid);
        send(last, Signal::KILL);
    }
    assert_eq!(load.await.unwrap(), 0, "connections refused");
    // Those that waited are answered by whoever comes.
    within("an answer", async || installation.answer().await).await;
}

#[tokio::test]
async fn a_crash_loop_slows_down_says_why_and_ends_by_itself() {
    let installation = Installation::new();
    installation.tell("api-1", "crash");
    let _supervisor = installation.supervise(1).await;
    let looping = within("the back-off", async || {
        let worker = installation.components().await?.into_iter().find(|component| component.name == "api-1")?;
        (worker.state == ComponentState::BackingOff && worker.restarts >= 4).then_some(worker)
    })
    .await;
    let detail = looping.detail.unwrap();
    assert!(detail.starts_with("exited with code 1 after ") && detail.contains("times in a row"), "{detail}");
    installation.untell("api-1", "crash");
    let recovered = installation.ready(1).await;
    assert!(recovered[0].last_recovery_ms.unwrap() >= 300);
    let recoveries = installation.control().await.recoveries(10).await.unwrap();
    assert!(recoveries[0].tries >= 4, "{recoveries:?}");
    assert!(installation.log("api-1").contains("told to crash"));
}

#[tokio::test]
async fn a_worker_whose_event_loop_stands_still_is_replaced_and_examined() {
    let installation = Installation::new();
    let _supervisor = installation.supervise(2).await;
    let before = installation.ready(2).await;
    send(before[0].pid, Signal::STOP);
    let after = within("the replacement", async || {
        let worker = installation.components().await?.into_iter().find(|component| component.name == "api-1")?;
        (worker.state == ComponentState::Ready && worker.restarts == 1).then_some(worker)
    })
    .await;
    let exit = after.last_exit.unwrap();
    assert!(exit.starts_with("hung: its event loop gave no sign of life for "), "{exit}");
    println!("last sign of life to ready again: {} ms", after.last_recovery_ms.unwrap());
    let kept = within("the examination", async || installation.log_named("api-1.hung-")).await;
    assert!(kept.contains("State:\tT (stopped)") && kept.contains("== code"), "{kept}");
    let recoveries = installation.control().await.recoveries(10).await.unwrap();
    assert!(recoveries.iter().any(|recovery| recovery.what.contains("kept in logs/api-1.hung-")), "{recoveries:?}");
    installation.tell("api-2", "hang");
    within("the declaration", async || {
        let worker = installation.components().await?.into_iter().find(|component| component.name == "api-2")?;
        (worker.restarts == 1).then_some(())
    })
    .await;
    installation.untell("api-2", "hang");
    installation.ready(2).await;
}

#[tokio::test]
async fn the_next_supervisor_takes_over_the_workers_and_the_sockets() {
    let installation = Installation::new();
    let supervisor = installation.supervise(2).await;
    let before = installation.ready(2).await;
    installation.recorded(2).await;
    supervisor.signal(Signal::KILL).unwrap();
    assert_eq!(supervisor.ended().await.unwrap(), Ending::Killed { signal: 9 });
    // The workers go on alone.
    assert!(installation.answer().await.is_some());
    let _next = installation.supervise(2).await;
    let after = installation.ready(2).await;
    let pids = |components: &[nodepanel_types::component::Component]| -> Vec<_> {
        components.iter().map(|component| (component.pid, component.started_at, component.restarts)).collect()
    };
    assert_eq!(pids(&before), pids(&after));
    let own = within("the supervisor's own recovery", async || {
        let own = installation.component("supervisor").await;
        own.last_recovery_ms.is_some().then_some(own)
    })
    .await;
    assert_eq!((own.restarts, own.last_exit.as_deref()), (1, Some("ended without being asked to")));
    println!("supervision back after {} ms alone", own.last_recovery_ms.unwrap());
    // The socket is the same one: with the workers dead it still queues.
    send(after[0].pid, Signal::KILL);
    send(after[1].pid, Signal::KILL);
    within("an answer", async || installation.answer().await).await;
    // What was adopted is watched: the end of a process that is not our child.
    let replaced = installation.ready(2).await;
    assert_eq!(replaced[0].restarts, 1);
    let exit = replaced[0].last_exit.clone().unwrap();
    assert!(exit.starts_with("ended; how is not known"), "{exit}");
}

#[tokio::test]
async fn everything_killed_at_once_comes_back_with_its_history() {
    let installation = Installation::new();
    let supervisor = installation.supervise(1).await;
    let before = installation.ready(1).await;
    installation.recorded(1).await;
    supervisor.signal(Signal::KILL).unwrap();
    send(before[0].pid, Signal::KILL);
    supervisor.ended().await.unwrap();
    let _next = installation.supervise(1).await;
    let after = installation.ready(1).await;
    assert_eq!((after[0].restarts, after[0].last_exit.as_deref()), (1, Some("ended while no supervisor ran")));
    assert!(after[0].pid != before[0].pid);
}

#[tokio::test]
async fn a_second_supervisor_is_refused_and_told_who_is_there() {
    let installation = Installation::new();
    let supervisor = installation.supervise(1).await;
    installation.ready(1).await;
    let second = installation.launch("supervise", 1);
    assert!(!second.ended().await.unwrap().is_success());
    let log = installation.log("supervise");
    assert!(log.contains("a supervisor already runs for"), "{log}");
    assert!(log.contains(&format!("{}", supervisor.pid())), "{log}");
    installation.ready(1).await;
}

#[tokio::test]
async fn a_stop_ends_everything_and_the_next_start_is_no_recovery() {
    let installation = Installation::new();
    installation.tell("api-2", "stubborn");
    let supervisor = installation.supervise(2).await;
    installation.ready(2).await;
    let mut control = installation.control().await;
    control.stop(false).await.unwrap();
    control.ended().await;
    assert_eq!(supervisor.ended().await.unwrap(), Ending::Exited { code: 0 });
    let error = Control::connect(&installation.data_dir).await.unwrap_err();
    assert!(matches!(error, ControlError::NotRunning { .. }), "{error}");
    assert!(installation.answer().await.is_none(), "somebody still listens");
    let _next = installation.supervise(2).await;
    let after = installation.ready(2).await;
    assert_eq!((after[0].restarts, after[1].restarts), (0, 0));
    assert_eq!(after[0].last_exit.as_deref(), Some("exited with code 0 when it was stopped"));
    assert_eq!(after[1].last_exit.as_deref(), Some("was killed by SIGKILL when it was stopped"));
    assert_eq!(installation.component("supervisor").await.restarts, 0);
}

#[tokio::test]
async fn a_worker_is_restarted_on_request_without_counting_as_a_crash() {
    let installation = Installation::new();
    let _supervisor = installation.supervise(1).await;
    let before = installation.ready(1).await;
    installation.control().await.restart("api-1").await.unwrap();
    let after = within("the new process", async || {
        let worker = installation.components().await?.into_iter().find(|component| component.name == "api-1")?;
        (worker.state == ComponentState::Ready && worker.pid != before[0].pid).then_some(worker)
    })
    .await;
    assert_eq!(after.restarts, 0);
    let error = installation.control().await.restart("api-7").await.unwrap_err().to_string();
    assert_eq!(error, "there is no component \"api-7\" to restart; there are api-1");
}

#[tokio::test]
async fn a_stop_with_servers_lets_the_agent_stop_them_first() {
    let installation = Installation::new();
    let supervisor = installation.supervise(3).await;
    within("the agent", async || {
        let agent = installation.components().await?.into_iter().find(|component| component.name == "agent")?;
        (agent.state == ComponentState::Ready).then_some(())
    })
    .await;
    let mut control = installation.control().await;
    control.stop(true).await.unwrap();
    control.ended().await;
    assert_eq!(supervisor.ended().await.unwrap(), Ending::Exited { code: 0 });
    assert!(installation.data_dir.join("agent.stopped").exists());
}

#[tokio::test]
async fn a_worker_that_says_why_it_cannot_work_is_kept_and_those_that_ask_are_told() {
    let installation = Installation::new();
    installation.tell("api-1", "unready");
    let _supervisor = installation.supervise(2).await;
    let find = async || installation.components().await?.into_iter().find(|component| component.name == "api-1");
    let before = within("the reason", async || find().await.filter(|api| api.state == ComponentState::Degraded)).await;
    assert_eq!(before.detail.as_deref(), Some("the store is damaged"));
    // Several times as long as a worker that says nothing has.
    let deadline = std::time::Instant::now() + Duration::from_millis(1_500);
    while std::time::Instant::now() < deadline {
        let now = find().await.unwrap();
        assert_eq!((now.pid, now.restarts, now.state), (before.pid, 0, ComponentState::Degraded));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    installation.untell("api-1", "unready");
    let after = installation.ready(2).await;
    assert_eq!((after[0].pid, after[0].restarts), (before.pid, 0));
}

#[tokio::test]
async fn a_worker_that_takes_too_much_memory_is_replaced_and_that_is_recorded() {
    let installation = Installation::new();
    let _supervisor = installation.supervise(2).await;
    let before = installation.ready(2).await;
    installation.tell("api-1", "grow");
    within("the replacement", async || {
        let worker = installation.components().await?.into_iter().find(|component| component.name == "api-1")?;
        (worker.pid != before[0].pid).then_some(())
    })
    .await;
    installation.untell("api-1", "grow");
    let after = installation.ready(2).await;
    let exit = after[0].last_exit.clone().unwrap();
    assert!(exit.starts_with("held ") && exit.contains("above its ceiling of 100 MiB"), "{exit}");
    assert_eq!((after[1].pid, after[1].restarts), (before[1].pid, 0));
    let recoveries = installation.control().await.recoveries(10).await.unwrap();
    assert!(recoveries.iter().any(|recovery| recovery.component == "api-1" && recovery.why == exit), "{recoveries:?}");
}
