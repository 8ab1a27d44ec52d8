//! What a game starts ends with it, whatever it does to get away.

use nodepanel_shim::clean_up;
use nodepanel_types::state::Exit;

use crate::harness::{Place, Shim, is_running, lines, wait_for};
use nodepanel_shim::protocol::ConsoleFrom;

/// Leaves its parent, its session and its group, and closes what it inherited.
const DAEMON: &str = "setsid sh -c 'sleep 600 >/dev/null 2>&1 <&- & echo daemon $!' &";

async fn daemon_of(shim: &Shim) -> u32 {
    let frames = shim.read_until(ConsoleFrom::After(0), |line| line.s.starts_with("daemon ")).await;
    let line = lines(&frames).into_iter().find(|line| line.s.starts_with("daemon ")).unwrap();
    line.s.trim_start_matches("daemon ").parse().unwrap()
}

#[tokio::test]
async fn a_kill_reaches_what_has_forked_away() {
    let shim = Place::script(&format!("{DAEMON} sleep 600 & wait")).start().await;
    let daemon = daemon_of(&shim).await;
    assert!(is_running(daemon));
    shim.client().kill().await.unwrap();
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::Signal { signal: 9 });
    assert!(!is_running(daemon));
}

#[tokio::test]
async fn what_a_crashed_game_left_behind_is_ended() {
    let shim = Place::script(&format!("{DAEMON} sleep 0.2; exit 1")).start().await;
    let daemon = daemon_of(&shim).await;
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::Code { code: 1 });
    assert!(!ended.asked && !ended.killed);
    assert!(!is_running(daemon));
}

#[tokio::test]
async fn a_soft_stop_ends_what_has_forked_away_too() {
    let shim = Place::script(&format!("{DAEMON} sleep 600 & wait")).start().await;
    let daemon = daemon_of(&shim).await;
    shim.client().stop(None).await.unwrap();
    let ended = shim.until_exited().await;
    assert_eq!(ended.exit, Exit::Signal { signal: 15 });
    assert!(!is_running(daemon));
}

#[tokio::test]
async fn a_game_ends_with_its_shim_and_the_rest_is_cleaned_up() {
    let place = Place::script(&format!("{DAEMON} exec sleep 600"));
    let mut shim = place.start().await;
    let daemon = daemon_of(&shim).await;
    let game = shim.game().await;
    shim.kill_shim();
    wait_for("the game to end", || !is_running(game)).await;
    wait_for("the rest to end", || {
        clean_up(place.spec.server, &place.spec.cgroups);
        !is_running(daemon)
    })
    .await;
    assert!(!nodepanel_shim::place::is_alive(&place.spec.state_dir).unwrap());
}

#[tokio::test]
async fn a_game_ends_with_its_shim_also_when_it_runs_as_another_user() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can run a game as another user");
        return;
    }
    let place = Place::script("id -u; id -g; id -G; exec sleep 600").for_nobody();
    let mut shim = place.start().await;
    for _ in 0..3 {
        shim.until_line("65534").await;
    }
    let game = shim.game().await;
    shim.kill_shim();
    wait_for("the game to end", || !is_running(game)).await;
}
