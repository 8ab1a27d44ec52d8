//! A mistake in the operator's file costs nothing: what runs goes on, what dies comes back, and the mistake is named.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Installation, PATIENCE, Setting, Witness, signal, wait_for};

const BROKEN: &str = "[api]\nservants = 3\n";

fn restarts(installation: &Installation) -> Vec<u64> {
    let all = installation.components();
    let workers = all.iter().filter(|component| component["role"] != "supervisor" && component["role"] != "keeper");
    workers.map(|worker| worker["restarts"].as_u64().unwrap()).collect()
}

/// What the supervisor has to say of the file.
fn notice(installation: &Installation) -> Option<String> {
    installation.component("supervisor")?["detail"].as_str().map(str::to_owned)
}

fn doctor(installation: &Installation) -> (Option<i32>, Value) {
    let output = installation.cli(&["doctor", "--json"]);
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = findings.as_array().unwrap().iter().find(|finding| finding["check"] == "config").unwrap().clone();
    (output.status.code(), finding)
}

#[test]
fn a_broken_configuration_crashes_nothing_and_the_last_good_one_stays_in_force() {
    let mut installation = Setting::new().start();
    let admin = installation.admin();
    let file = installation.data_dir().join("nodepanel.toml");
    let state = installation.data_dir().join("configurations/state.json");
    wait_for("the proof of the first configuration", PATIENCE, || {
        let state: Value = serde_json::from_str(&fs::read_to_string(&state).ok()?).unwrap();
        state["proven"].is_string().then_some(())
    });
    assert_eq!(notice(&installation), None);
    let before = restarts(&installation);
    let witness = Witness::begin(&admin, "/api/v1/session");

    fs::write(&file, BROKEN).unwrap();
    let said = wait_for("the mistake to be named", PATIENCE, || notice(&installation));
    assert!(said.contains("line 2") && said.contains("servants") && said.contains("stays in force"), "{said}");
    for name in ["api-1", "status", "agent", "supervisor", "api-2"] {
        installation.kill9_and_wait(name);
    }
    let after = restarts(&installation);
    let deaths: Vec<u64> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
    assert_eq!(deaths, vec![1; before.len()], "each died once, by our hand");
    let noticed = witness.end();
    assert_eq!((noticed.refused, noticed.wrong.len()), (0, 0), "{noticed:?}");

    // Offered to the running installation it is refused with the reason.
    let supervisor = installation.pid("supervisor");
    signal(supervisor, Signal::HUP);
    let log = installation.data_dir().join("logs/supervisor.log");
    wait_for("the refusal", PATIENCE, || {
        let text = fs::read_to_string(&log).unwrap();
        text.lines().any(|line| line.contains("no upgrade") && line.contains("line 2")).then_some(())
    });
    let (code, finding) = doctor(&installation);
    assert_eq!((code, &finding["verdict"]), (Some(7), &Value::from("wrong")), "{finding}");
    assert!(finding["text"].as_str().unwrap().contains("line 2"), "{finding}");
    assert_eq!(restarts(&installation), after);

    // Also after everything ended: the start says so, and is one.
    installation.interrupt();
    installation.up();
    installation.wait_ready();
    assert!(installation.printed().contains("line 2"), "{}", installation.printed());
    assert!(
        notice(&installation).is_some()
            || wait_for("the notice", PATIENCE, || notice(&installation)).contains("line 2")
    );

    // A right one is taken up when that is asked for, and not before.
    fs::write(&file, "[ceilings]\nagent_mib = 700\n").unwrap();
    wait_for("the change to be seen", PATIENCE, || notice(&installation)?.contains("not in force yet").then_some(()));
    assert_eq!(doctor(&installation).1["verdict"], "weak");
    let api = installation.pid("api-1");
    wait_for("the move to be begun", PATIENCE, || {
        signal(installation.pid("supervisor"), Signal::HUP);
        (installation.pid("api-1") != api).then_some(())
    });
    wait_for("the change to be in force", PATIENCE, || notice(&installation).is_none().then_some(()));
    installation.wait_components_ready();
    assert_eq!(doctor(&installation).1["verdict"], "fine");
}
