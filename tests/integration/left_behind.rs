//! Ctrl-C leaves the games running; `stop --all` stops them also afterwards, and the next `up` starts what should run.

use crate::harness::{Game, Installation, PATIENCE, is_alive, wait_for};

#[test]
fn games_without_a_control_plane_can_be_stopped() {
    let mut installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "left behind");
    let processes = installation.game_of(&game.id);
    installation.interrupt();
    assert!(processes.iter().all(|&process| is_alive(process)), "Ctrl-C leaves games alone");

    let stopped = installation.cli(&["stop", "--all"]);
    let text = String::from_utf8_lossy(&stopped.stderr);
    assert!(stopped.status.success(), "{text}");
    assert!(text.contains("left running"), "{text}");
    wait_for("the end of the game", PATIENCE, || (!processes.iter().any(|&process| is_alive(process))).then_some(()));

    installation.up();
    installation.wait_ready();
    let again = game.wait_state("running");
    assert_eq!(again["automatic_restarts"], 0, "it was stopped, and did not crash");
    assert_ne!(installation.game_of(&game.id), processes);
}
