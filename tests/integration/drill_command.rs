//! `nodepanel drill`: what it breaks, what it reports, and that it harms nothing unasked. Targets are for quiet machines
//! and are not asserted; promises are.

use std::{os::unix::fs::PermissionsExt as _, process::Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Console, Game, Installation, PATIENCE, cli_at, cli_to_its_end, command, signal, wait_for};

/// A report without a broken promise, whatever the figures.
#[track_caller]
fn assert_promises_kept(report: &Value) {
    assert_eq!(report["faults"], Value::Array(Vec::new()), "{report:#}");
    let operations = &report["operations"];
    for none in ["refused", "failed", "unknown", "lost_writes", "applied_twice", "console_gaps"] {
        assert_eq!(operations[none], 0, "{none}: {report:#}");
    }
    assert!(operations["writes"].as_u64().unwrap() > 0, "{report:#}");
    for figure in report["figures"].as_array().unwrap() {
        let [p50, p99, max] = ["p50_ms", "p99_ms", "max_ms"].map(|name| figure[name].as_f64().unwrap());
        assert!(p50 > 0.0 && p50 <= p99 && p99 <= max, "{figure}");
        assert_eq!(figure["samples"], report["repetitions"], "{figure}");
    }
}

#[test]
fn drills_bring_their_own_installation() {
    let directory = tempfile::tempdir().unwrap();
    for (name, number) in [("api-killed", 1), ("agent-killed", 8)] {
        let output = cli_to_its_end(&directory.path().join("none"), &["drill", name, "--repeat", "2", "--json"]);
        let text = String::from_utf8_lossy(&output.stderr);
        let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
        let report = &reports[0];
        assert_eq!((&report["drill"], &report["number"]), (&Value::from(name), &Value::from(number)), "{text}");
        assert_promises_kept(report);
        let expected = if report["passed"] == true { 0 } else { 7 };
        assert_eq!(output.status.code(), Some(expected), "{report:#}");
    }
    assert!(!directory.path().join("none").exists(), "nothing was made where no installation is");
}

#[test]
fn stalls_bad_builds_and_storms_are_drilled() {
    let directory = tempfile::tempdir().unwrap();
    // Their siblings share the code: a deadlock with a spin, and a broken configuration has a test of its own.
    for (name, number) in
        [("api-spins", 2), ("bad-build", 3), ("login-flood", 12), ("retry-storm", 12), ("stale-plan", 12)]
    {
        let output = cli_to_its_end(&directory.path().join("none"), &["drill", name, "--repeat", "1", "--json"]);
        let text = String::from_utf8_lossy(&output.stderr);
        let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {text}"));
        assert_eq!((&reports[0]["drill"], &reports[0]["number"]), (&Value::from(name), &Value::from(number)), "{text}");
        assert_promises_kept(&reports[0]);
        println!("{:#}", reports[0]["figures"]);
    }
}

/// Drills that not every machine can carry out, once each.
fn drilled_where_possible(drills: &[(&str, u8)]) {
    let directory = tempfile::tempdir().unwrap();
    for (name, number) in drills {
        let output = cli_to_its_end(&directory.path().join("none"), &["drill", name, "--repeat", "1", "--json"]);
        let text = String::from_utf8_lossy(&output.stderr);
        if text.contains("cannot be carried out here") {
            eprintln!("skipped: {text}");
            continue;
        }
        let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{name}: {text}"));
        assert_eq!(
            (&reports[0]["drill"], &reports[0]["number"]),
            (&Value::from(*name), &Value::from(*number)),
            "{text}"
        );
        assert_promises_kept(&reports[0]);
        println!("{:#}", reports[0]["figures"]);
    }
}

#[test]
fn broken_disks_are_drilled() {
    drilled_where_possible(&[("slow-disk", 9), ("corrupt-page", 9), ("fsync-error", 9)]);
}

#[test]
fn a_wrong_clock_is_drilled() {
    drilled_where_possible(&[("clock-jump", 9), ("certificate-expired", 12)]);
}

#[test]
fn what_happens_while_the_control_plane_is_away_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["drill", "control-plane-away", "--repeat", "1", "--away", "2", "--json"];
    let output = cli_to_its_end(&directory.path().join("none"), &arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!(reports[0]["faults"], Value::Array(Vec::new()), "{reports:#}");
    assert_eq!(reports[0]["figures"].as_array().unwrap().len(), 3, "{reports:#}");
}

#[test]
fn a_drill_on_a_running_installation_leaves_it_as_it_was() {
    let installation = Installation::start();
    let admin = installation.admin();
    let game = Game::start_echo(&admin, "of a customer");
    let console = Console::open(&admin, &game.id);
    let processes = installation.game_of(&game.id);
    for spoiling in ["broken-configuration", "bad-build"] {
        let refused = installation.cli(&["drill", spoiling, "--running", "--yes", "--repeat", "1"]);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains("leave --running out"), "{text}");
    }
    let refused = installation.cli(&["drill", "supervisor-killed", "--running"]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stdout));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--yes"));

    let reports = installation.cli(&["drill", "supervisor-killed", "--running", "--yes", "--repeat", "2", "--json"]);
    let text = String::from_utf8_lossy(&reports.stderr);
    let reports: Value = serde_json::from_slice(&reports.stdout).unwrap_or_else(|_| panic!("{text}"));
    assert_promises_kept(&reports[0]);
    let supervisor = installation.component("supervisor").unwrap();
    assert_eq!(
        (&supervisor["supervision"]["proof"]["occasion"], &supervisor["restarts"]),
        (&"drill".into(), &0.into())
    );

    assert_eq!(installation.game_of(&game.id), processes, "the customer's game goes on");
    game.type_line("after the drill");
    console.wait_line("> after the drill");
    console.assert_whole();
    assert_eq!(admin.list("/api/v1/servers").len(), 1, "the drill's own are gone");
    assert_eq!(admin.list("/api/v1/users").len(), 1);
    assert!(admin.list("/api/v1/templates").iter().all(|template| template["name"] != "Drill"));
}

#[test]
fn a_drill_that_is_ended_early_takes_away_what_it_made() {
    let open = std::fs::Permissions::from_mode(0o755);
    let directory = tempfile::Builder::new().permissions(open).tempdir().unwrap();
    let drill = command(&directory.path().join("none"))
        .args(["drill", "agent-killed", "--repeat", "1000", "--json"])
        .env("TMPDIR", directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the installation of the drill", PATIENCE, || {
        let entry = std::fs::read_dir(directory.path()).unwrap().next()?.unwrap();
        std::fs::read_to_string(entry.path().join("up.log")).ok().filter(|log| log.contains("is ready"))
    });
    signal(drill.id(), Signal::TERM);
    let output = drill.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    assert_promises_kept(&reports[0]);
    assert!(reports[0]["repetitions"].as_u64().unwrap() < 1_000);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{text}");
}

#[test]
fn a_drill_that_makes_no_sense_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str], words: &[&str]| {
        let output = cli_at(directory.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    };
    fails(&["drill"], &["--list"]);
    fails(&["drill", "unheard-of"], &["unheard-of", "api-killed"]);
    fails(&["drill", "api-killed", "--repeat", "-1"], &["-1"]);
    fails(&["drill", "api-killed", "--repeat", "0"], &["1..=1000"]);
    fails(&["drill", "api-killed", "--yes"], &["--running"]);
    let list = cli_at(directory.path(), &["drill", "--list", "--json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert!(list.as_array().unwrap().iter().all(|drill| drill["summary"].as_str().unwrap().ends_with('.')));
}
