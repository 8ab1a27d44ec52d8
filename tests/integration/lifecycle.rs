//! What a game server goes through: installed, started, led, stopped, crashed, killed, deleted, and taken up again.

use serde_json::json;

use crate::harness::{Client, Console, Game, Installation, PATIENCE, is_alive, kill9, wait_for};

#[test]
fn a_server_does_what_its_owner_asks() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::create(&admin, &Game::echo_body(&admin, "first"));
    let view = game.wait_state("stopped");
    assert_eq!(view["reason"], "Installed and ready to start.");
    assert_eq!(view["actions"]["stop"]["allowed"], false);
    assert_eq!(game.ask("stop").problem(), "state-forbids");

    let console = Console::open(&admin, &game.id);
    game.power("start");
    let view = game.wait_state("running");
    assert_eq!(view["wants_running"], true);
    game.type_line("hello there");
    console.wait_line("> hello there");
    console.type_line("from the browser", "key-1");
    assert!(console.wait_control("sent")["sent"]["line"].is_u64());
    console.wait_line("> from the browser");
    assert_eq!(game.ask("start").problem(), "state-forbids");

    let before = installation.game_of(&game.id);
    game.power("restart");
    wait_for("another process", PATIENCE, || {
        let now = installation.game_of(&game.id);
        (!now.is_empty() && now != before).then_some(())
    });
    game.wait_state("running");
    assert_eq!(console.count("ready"), 2, "the game said so once per life");

    game.power("stop");
    let view = game.wait_state("stopped");
    assert!(view["reason"].as_str().unwrap().starts_with("Stopped as asked"), "{view}");
    assert!(installation.game_of(&game.id).is_empty());
    console.assert_whole();
}

#[test]
fn kill_always_wins() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "deaf");
    let before = installation.game_of(&game.id);
    game.type_line("deaf");
    game.wait_line("deaf");
    game.power("stop");
    let view = game.wait_state("stopping");
    assert!(view["reason"].as_str().unwrap().contains("killed at"), "{view}");
    game.power("kill");
    let view = game.wait_state("stopped");
    assert!(view["reason"].as_str().unwrap().contains("SIGKILL"), "{view}");
    assert_eq!(view["wants_running"], false);
    assert!(!before.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_crash_is_answered_with_a_restart_and_a_reason() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "fragile");
    game.client
        .write(
            "PATCH",
            &game.path(""),
            &json!({"crash": {"first_delay_ms": 200, "max_delay_ms": 60_000, "healthy_after_ms": 60_000}}),
        )
        .expect(200);
    game.type_line("crash 7");
    game.wait_line("exit code 7");
    let view = game.wait("one automatic restart", |view| view["state"] == "running" && view["automatic_restarts"] == 1);
    assert_eq!(view["wants_running"], true);
    for _ in 0..10 {
        game.client.post(&game.path("/command"), &json!({"line": "crash 8"}));
        if game.view()["state"] == "crash_looping" {
            break;
        }
        game.wait("running again, or no more at once", |view| {
            view["state"] != "crashed" && view["state"] != "starting"
        });
    }
    let view = game.wait_state("crash_looping");
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.contains("times in a row") && reason.contains("exit code 8"), "{reason}");
    // Its owner need not wait for the next try.
    game.power("start");
    game.wait_state("running");
}

#[test]
fn deleting_frees_the_ports_and_the_files() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "short-lived");
    let port = game.view()["endpoints"][0]["port"].clone();
    let files = installation.data_dir().join("agent/servers").join(&game.id);
    let processes = installation.game_of(&game.id);
    let mut body = Game::echo_body(&admin, "successor");
    body["ports"] = json!({"game": port});
    let refused = admin.post("/api/v1/servers", &body);
    assert!(refused.status == 409 || refused.status == 422, "{}", refused.text());
    assert!(refused.text().contains(&port.to_string()), "{}", refused.text());
    game.delete();
    assert!(!processes.iter().any(|pid| is_alive(*pid)));
    wait_for("the files to be gone", PATIENCE, || (!files.exists()).then_some(()));
    let successor = Game::create(&admin, &body);
    assert_eq!(successor.view()["endpoints"][0]["port"], port);
}

#[test]
fn a_failed_installation_says_why_and_can_be_repeated() {
    let installation = Installation::start();
    let admin = installation.admin();
    // The first attempts fail, which are those that the node makes by itself; the third is asked for.
    let source = r#"
format = 1
slug = "moody"
name = "Moody"
description = "Fails the first time."

[[ports]]
name = "game"
protocol = "tcp"

[limits]
memory_mib = 64

[launch]
command = ["sh", "-c", "echo ready; read line"]
ready = { line = "ready" }
stop = { signal = "SIGTERM" }

[install]
timeout_s = 20

[[install.steps]]
title = "Try"
run = ["sh", "-c", "n=$(cat tries 2>/dev/null || echo 0); n=$((n+1)); echo $n > tries; test $n -ge 3 && exit 0; echo no luck today; exit 3"]
"#;
    let made = admin.post("/api/v1/templates", &json!({"source": source})).expect(201);
    let game = Game::create(&admin, &json!({"name": "moody", "template": made["id"], "start": true}));
    let view = game.wait("a failed installation", |view| view["install"]["state"] == "failed");
    let reason = view["reason"].as_str().unwrap();
    assert!(reason.contains("installation failed") && reason.contains('3'), "{reason}");
    assert_eq!(game.ask("start").problem(), "state-forbids");
    let log = admin.get(&game.path("/install/log?tail=100")).expect(200);
    assert!(log.to_string().contains("no luck today"), "{log}");
    admin.post(&game.path("/install"), &json!(null)).expect(202);
    game.wait("running after the second attempt", |view| view["state"] == "running");
}

#[test]
fn what_should_run_runs_again_after_everything_was_killed() {
    let mut installation = Installation::start();
    let admin = installation.admin();
    let runs = Game::start_echo(&admin, "runs");
    let survives = Game::start_echo(&admin, "survives");
    let stopped = Game::start_echo(&admin, "stopped");
    stopped.power("stop");
    stopped.wait_state("stopped");
    let survivor = installation.game_of(&survives.id);

    installation.kill_everything();
    // As after a reboot: this game and its shim are gone, too.
    installation.shim_of(&runs.id).into_iter().for_each(kill9);
    installation.game_of(&runs.id).into_iter().for_each(kill9);
    assert_eq!(installation.game_of(&survives.id), survivor);
    installation.up();
    installation.wait_ready();

    let admin = Client { address: installation.address(), ..admin };
    assert_eq!(admin.get("/api/v1/session").status, 200, "the session outlived everything");
    runs.wait_state("running");
    survives.wait_state("running");
    assert_eq!(installation.game_of(&survives.id), survivor, "what ran was taken up, not started again");
    stopped.wait_state("stopped");
    assert!(installation.game_of(&stopped.id).is_empty());
    // They obey the new agent.
    survives.type_line("still there");
    survives.wait_line("> still there");
}
