//! Starting, getting ready, stopping, being killed, ending.

use std::net::TcpListener;

use nodepanel_shim::protocol::{RefusalCode, ShimState};
use nodepanel_shim::{ClientError, place};
use nodepanel_types::{
    state::Exit,
    wire::{Endpoint, Protocol, Ready, StopWay},
};
use tokio::time::Instant;

use crate::harness::{Place, is_running, output, read_exit, wait_for};

fn running(state: &ShimState) -> bool {
    matches!(state, ShimState::Running { .. })
}

#[tokio::test]
async fn a_game_starts_says_that_it_is_ready_and_stops_by_its_command() {
    let place = Place::game(&["echo"]).with(|spec| {
        spec.ready = Ready::Line { pattern: "^ready to".to_owned() };
        spec.stop = StopWay::Command { line: "stop".to_owned() };
    });
    let mut shim = place.start().await;
    let status = shim.until(running).await;
    assert!(matches!(status.state, ShimState::Running { sign_seen: true, .. }), "{status:?}");
    shim.client().stop(None).await.unwrap();
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::Code { code: 0 });
    assert!(ended.asked && !ended.killed && ended.ready_at.is_some(), "{ended:?}");
    assert_eq!(output(&shim.all().await), ["\u{1b}[32mready\u{1b}[0m to play", "saved"]);
    shim.client().ack_exit().await.unwrap();
    shim.gone().await;
    assert_eq!(read_exit(&place.spec.state_dir), Some(ended));
    assert!(!place::is_alive(&place.spec.state_dir).unwrap());
}

#[tokio::test]
async fn a_game_is_ready_when_its_own_port_is_bound() {
    // Somebody else's socket on the same port at another address must not count.
    let taken = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = Place::game(&["listen"]).with(|spec| {
        spec.ready = Ready::Port;
        let address = "127.0.0.1".parse().unwrap();
        spec.endpoints = vec![Endpoint { name: "game".to_owned(), address, port, protocol: Protocol::Tcp }];
    });
    let shim = place.start().await;
    shim.until_line("up").await;
    assert!(matches!(shim.client().state().await.unwrap().state, ShimState::Starting { run: Some(_) }));
    shim.client().command(&port.to_string(), "bind").await.unwrap();
    shim.until(running).await;
}

#[tokio::test]
async fn a_game_that_never_says_that_it_is_ready_is_taken_for_running() {
    let place = Place::script("sleep 600").with(|spec| {
        spec.ready = Ready::Line { pattern: "ready".to_owned() };
        spec.ready_timeout_ms = 100;
    });
    let shim = place.start().await;
    let status = shim.until(running).await;
    assert!(matches!(status.state, ShimState::Running { sign_seen: false, .. }));
    assert!(status.notes.iter().any(|note| note.contains("did not say that it is ready")), "{:?}", status.notes);
}

#[tokio::test]
async fn a_signal_stops_the_whole_group_and_what_it_leaves_may_finish() {
    // The shell dies of the signal at once; what it ran is still saving.
    let script = r#"sh -c 'trap "sleep 0.3; echo saved; exit" TERM; echo up; while :; do sleep 0.05; done' & wait"#;
    let place = Place::script(script);
    let shim = place.start().await;
    shim.until_line("up").await;
    let status = shim.client().stop(Some(20_000)).await.unwrap();
    assert!(matches!(status.state, ShimState::Stopping { .. }), "{status:?}");
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::Signal { signal: 15 });
    assert!(ended.asked && !ended.killed);
    assert_eq!(output(&shim.all().await).last().unwrap(), "saved");
}

#[tokio::test]
async fn what_does_not_stop_in_time_is_killed_although_nobody_listens_any_more() {
    let place = Place::script("trap '' TERM; echo up; while :; do sleep 0.05; done").with(|spec| spec.linger_ms = 1);
    let mut shim = place.start().await;
    shim.until_line("up").await;
    shim.client().stop(Some(200)).await.unwrap();
    shim.gone().await;
    let ended = read_exit(&place.spec.state_dir).unwrap();
    assert_eq!(ended.exit, Exit::Signal { signal: 9 });
    assert!(ended.asked && ended.killed);
}

#[tokio::test]
async fn a_kill_wins_over_a_soft_stop_and_a_later_stop_does_not_prolong() {
    let place = Place::script("trap '' TERM; echo up; while :; do sleep 0.05; done");
    let shim = place.start().await;
    shim.until_line("up").await;
    let first = shim.client().stop(Some(60_000)).await.unwrap().state;
    let second = shim.client().stop(Some(600_000)).await.unwrap().state;
    assert_eq!(first, second);
    let begun = Instant::now();
    shim.client().kill().await.unwrap();
    let ended = shim.until_exited().await;
    assert!(begun.elapsed().as_secs() < 30, "the soft stop was waited for");
    assert_eq!(ended.exit, Exit::Signal { signal: 9 });
    assert!(ended.asked && ended.killed);
    let refused = shim.client().stop(None).await.unwrap_err();
    assert!(matches!(refused, ClientError::Refused(refusal) if refusal.code == RefusalCode::NotRunning));
}

#[tokio::test]
async fn the_end_of_a_game_is_told_as_it_was() {
    for (script, exit) in [
        ("exit 3", Exit::Code { code: 3 }),
        ("exit 0", Exit::Code { code: 0 }),
        ("kill -SEGV $$", Exit::Signal { signal: 11 }),
    ] {
        let shim = Place::script(script).start().await;
        let ended = shim.until_exited().await;
        assert_eq!(ended.exit, exit);
        assert!(!ended.asked && !ended.killed, "{script}: {ended:?}");
    }
}

#[tokio::test]
async fn a_game_that_cannot_be_started_says_why() {
    let place = Place::new(&["no-such-game"]);
    let ended = place.start().await.until_exited().await;
    let Exit::SpawnFailed { message } = ended.exit else { panic!("{ended:?}") };
    assert!(message.contains("`no-such-game` cannot be run") && message.contains("No such file"), "{message}");

    let gone = place.path("gone");
    let place = place.with(|spec| spec.dir = gone);
    let ended = place.start().await.until_exited().await;
    let Exit::SpawnFailed { message } = ended.exit else { panic!("{ended:?}") };
    assert!(message.contains("directory cannot be entered") && !message.contains("gone"), "{message}");
}

#[tokio::test]
async fn a_shim_that_cannot_begin_leaves_the_reason() {
    let place = Place::script("exit 0").with(|spec| spec.token_file = "/nonexistent/token".into());
    let status = place.spawn().wait().unwrap();
    assert!(!status.success());
    let ended = read_exit(&place.spec.state_dir).unwrap();
    let Exit::SpawnFailed { message } = ended.exit else { panic!("{ended:?}") };
    assert!(message.contains("cannot read its token"), "{message}");
}

#[tokio::test]
async fn an_end_that_nobody_saw_is_found_on_the_disk() {
    let place = Place::script("read line; exit 7").with(|spec| spec.linger_ms = 50);
    let mut shim = place.start().await;
    shim.until(running).await;
    let _ = shim.client().command("end", "k").await.unwrap();
    shim.gone().await;
    assert_eq!(read_exit(&place.spec.state_dir).unwrap().exit, Exit::Code { code: 7 });
    // The next start begins without it.
    let place = place.with(|spec| spec.linger_ms = 60_000);
    let shim = place.start().await;
    shim.until(running).await;
    assert_eq!(read_exit(&place.spec.state_dir), None);
}

#[tokio::test]
async fn a_second_shim_leaves_the_first_alone() {
    let place = Place::script("sleep 600");
    let shim = place.start().await;
    let game = shim.game().await;
    let status = place.spawn().wait().unwrap();
    assert!(!status.success());
    assert!(is_running(game));
    assert!(shim.client().state().await.is_ok());
    assert_eq!(read_exit(&place.spec.state_dir), None);
}

#[tokio::test]
async fn signals_of_a_terminal_are_ignored_and_sigterm_stops_the_game() {
    let place = Place::script("trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done");
    let shim = place.start().await;
    shim.until_line("up").await;
    let pid = rustix::process::Pid::from_raw(shim.process.id().try_into().unwrap()).unwrap();
    for signal in [rustix::process::Signal::HUP, rustix::process::Signal::INT] {
        rustix::process::kill_process(pid, signal).unwrap();
    }
    assert!(matches!(shim.client().state().await.unwrap().state, ShimState::Running { .. }));
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::Code { code: 4 });
    assert!(ended.asked && !ended.killed);
}

#[tokio::test]
async fn the_game_is_found_under_its_recorded_identity() {
    let place = Place::script("sleep 600");
    let shim = place.start().await;
    let game = shim.game().await;
    let keeper = place::read_keeper(&place.spec.state_dir).unwrap().unwrap();
    assert_eq!(keeper.shim.pid, shim.process.id());
    assert_eq!(keeper.game.unwrap().pid, game);
    wait_for("the lock to be seen", || place::is_alive(&place.spec.state_dir).unwrap()).await;
}

#[tokio::test]
async fn a_shim_whose_lock_cannot_be_seen_is_not_taken_for_dead() {
    let place = Place::script("sleep 600");
    let mut shim = place.start().await;
    shim.until(running).await;
    for entry in std::fs::read_dir(&place.spec.state_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "lock") || path.ends_with("lock") {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(place::is_alive(&place.spec.state_dir).unwrap());
    shim.kill_shim();
    wait_for("the shim to be seen dead", || !place::is_alive(&place.spec.state_dir).unwrap()).await;
}
