//! The command line, as scripts use it: documented exit codes, JSON, and messages that say what to do.

use std::process::Output;

use serde_json::Value;

use crate::harness::{ADMIN, ECHO, Installation, PASSWORD, cli_at};

#[track_caller]
fn fails(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn servers_are_led_by_the_command_line() {
    let installation = Installation::start();
    let cli = |arguments: &[&str]| installation.cli_json(arguments);
    assert_eq!(cli(&["server", "list", "--json"]), Value::Array(Vec::new()));
    let command = format!("COMMAND={ECHO}");
    let created = cli(&[
        "server",
        "create",
        "one",
        "--template",
        "any-command",
        "--set",
        &command,
        "--set",
        "READY_TEXT=ready",
        "--set",
        "STOP_COMMAND=stop",
        "--memory",
        "64",
        "--cpu",
        "50",
        "--start",
        "--owner",
        ADMIN,
        "--json",
    ]);
    assert_eq!(created["state"], "running");
    assert_eq!(created["limits"]["memory_mib"], 64);
    let list = cli(&["server", "list", "--json"]);
    assert_eq!(list[0]["id"], created["id"]);
    assert_eq!(cli(&["server", "show", "one", "--json"])["name"], "one");
    assert!(cli(&["server", "send", "one", "typed by a script", "--json"])["line"].is_u64());
    assert_eq!(cli(&["server", "restart", "one", "--json"])["state"], "running");
    assert_eq!(cli(&["server", "stop", "one", "--json"])["state"], "stopped");
    assert_eq!(cli(&["server", "start", "one", "--json"])["state"], "running");
    assert_eq!(cli(&["server", "kill", "one", "--json"])["state"], "stopped");
    let logs = installation.cli(&["server", "logs", "one"]);
    assert!(String::from_utf8_lossy(&logs.stdout).contains("> typed by a script"));
    let logs = installation.cli(&["server", "logs", "one", "--after", "1", "--json"]);
    for line in String::from_utf8(logs.stdout).unwrap().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    let id = created["id"].as_str().unwrap();
    fails(&installation.cli(&["server", "stop", "one"]), 5, &["already stopped"]);
    fails(&installation.cli(&["server", "delete", "one"]), 2, &["--yes"]);
    assert_eq!(cli(&["server", "delete", id, "--yes", "--json"])["deleting"], true);
    fails(&installation.cli(&["server", "show", "two"]), 3, &["two"]);
    fails(&installation.cli(&["server", "start", "0190b5c8-7c4e-7000-8000-0000deadbeef"]), 3, &[]);
    fails(&installation.cli(&["server", "create", "x", "--template", "nope"]), 3, &["nope", "minecraft"]);
    let wrong = ["server", "create", "x", "--template", "any-command", "--set", "COMMAND=cat", "--port", "game=80"];
    fails(&installation.cli(&wrong), 2, &["port"]);
    let wrong = ["server", "create", "x", "--template", "any-command", "--set", "COMMAND"];
    fails(&installation.cli(&wrong), 2, &["KEY=VALUE"]);
    let wrong = ["server", "create", "x", "--template", "any-command", "--set", "COMMAND=cat", "--port", "game=99999"];
    fails(&installation.cli(&wrong), 2, &["99999"]);
    let failing = ["server", "create", "y", "--template", "any-command", "--set", "COMMAND=sh -c 'exit 9'", "--start"];
    let output = installation.cli(&failing);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("exit code 9"));
}

#[test]
fn the_installation_is_looked_at_and_led_by_the_command_line() {
    let mut installation = Installation::start();
    let status = installation.cli_json(&["status", "--json"]);
    let names: Vec<&str> = status.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in ["supervisor", "api-1", "api-2", "status", "agent"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for member in ["name", "role", "pid", "state", "started_at", "restarts", "last_recovery_ms", "last_exit"] {
        assert!(status[0].get(member).is_some(), "{member}");
    }
    installation.kill9_and_wait("api-1");
    let history = installation.cli_json(&["status", "--history", "--json"]);
    let last = history.as_array().unwrap().last().unwrap();
    assert_eq!((last["component"].as_str(), last["why"].as_str()), (Some("api-1"), Some("was killed by SIGKILL")));
    assert!(last["took_ms"].is_u64() && last["at"].is_string(), "{last}");
    assert!(String::from_utf8_lossy(&installation.cli(&["status"]).stdout).contains("was killed by SIGKILL"));
    let doctor = installation.cli(&["doctor", "--json"]);
    let findings: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let checks: Vec<&str> = findings.as_array().unwrap().iter().map(|one| one["check"].as_str().unwrap()).collect();
    for check in ["disk", "ports", "cgroups", "clock"] {
        assert!(checks.contains(&check), "{checks:?}");
    }
    let nodes = installation.cli_json(&["node", "list", "--json"]);
    assert_eq!(nodes[0]["presence"]["state"], "online");
    let user = installation.cli_with_input(&["user", "create", "script@example.org", "--json"], PASSWORD);
    let user: Value = serde_json::from_slice(&user.stdout).unwrap();
    assert_eq!(user["role"], "user");
    fails(&installation.cli_with_input(&["user", "create", "no-address"], PASSWORD), 2, &["email"]);
    fails(&installation.cli_with_input(&["user", "create", "script@example.org"], PASSWORD), 5, &["already"]);
    fails(&installation.cli_with_input(&["user", "create", "other@example.org"], "short"), 2, &["password"]);
    let token = installation.cli_json(&["token", "create", "--user", "script@example.org", "--name", "ci", "--json"]);
    let client = installation.anyone().with_key(token["token"].as_str().unwrap());
    assert_eq!(client.get("/api/v1/session").expect(200)["user"]["email"], "script@example.org");
    fails(&installation.cli(&["token", "create", "--user", "nobody@example.org"]), 3, &["nobody@example.org"]);
    for shell in ["bash", "zsh", "fish"] {
        let output = installation.cli(&["completions", shell]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("nodepanel"), "{shell}");
    }
    fails(&installation.cli(&["completions", "cobol"]), 2, &["cobol"]);
    fails(&installation.cli(&["frobnicate"]), 2, &["frobnicate"]);
    assert!(installation.cli(&["--help"]).status.success());

    assert!(installation.cli(&["stop"]).status.success());
    fails(&installation.cli(&["status"]), 6, &["nodepanel up"]);
    fails(&installation.cli(&["server", "list"]), 6, &["nodepanel up"]);
    installation.ended();
}

#[test]
fn stopping_all_stops_the_games_too() {
    let mut installation = Installation::start();
    let admin = installation.admin();
    let game = crate::harness::Game::start_echo(&admin, "stops too");
    assert!(installation.cli(&["stop", "--all"]).status.success());
    assert!(installation.game_of(&game.id).is_empty());
    installation.ended();
    let nowhere = tempfile::tempdir().unwrap();
    fails(&cli_at(nowhere.path(), &["status", "--json"]), 6, &[]);
    std::fs::write(nowhere.path().join("nodepanel.toml"), "[http]\nlisten = 5\n").unwrap();
    let doctor = cli_at(nowhere.path(), &["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.code() == Some(7) && text.contains("nodepanel.toml") && text.contains("line 2"), "{text}");
    std::fs::remove_file(nowhere.path().join("nodepanel.toml")).unwrap();
    fails(&cli_at(nowhere.path(), &["server", "list", "--json"]), 6, &["--data-dir"]);
    // What was wanted is still wanted: the next start brings the game back.
    installation.up();
    installation.wait_ready();
    game.wait_state("running");
}
