//! That NodePanel's own processes come back is seen on purpose, told as such, and noticed by nobody.

use serde_json::Value;

use crate::harness::{Console, Game, Installation, PATIENCE, Witness, wait_for};

#[test]
fn proofs_are_renewed_one_after_the_other_and_nobody_notices() {
    let installation = Installation::start();
    let admin = installation.admin();
    let fresh = String::from_utf8(installation.cli(&["status"]).stdout).unwrap();
    assert!(fresh.contains("Not yet seen to come back: "), "{fresh}");
    assert_eq!(fresh.matches("seen to come back").count(), 1, "said once of all: {fresh}");
    assert!(fresh.contains("Proofs are renewed by hand only"), "{fresh}");

    let refused = installation.cli(&["proofs", "renew"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("add --yes"));

    let game = Game::start_echo(&admin, "goes on");
    let console = Console::open(&admin, &game.id);
    console.wait_line("ready");
    let processes = installation.game_of(&game.id);
    // Only after its build has proven itself is anything ended.
    let witness = Witness::begin(&admin, "/api/v1/servers");
    // One that was back too late on a busy machine ends it, as it should; the others come with the next try.
    let renewed = wait_for("all to be back in time", 4 * PATIENCE, || {
        let output = installation.cli(&["proofs", "renew", "--yes", "--json"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || text.contains("is its target"), "{text}");
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    });
    let names: Vec<&Value> = renewed.as_array().unwrap().iter().map(|renewed| &renewed["component"]).collect();
    assert_eq!(names.last().unwrap(), &"supervisor", "{renewed:#}");
    for name in ["api-1", "api-2", "status", "agent"] {
        assert!(names.contains(&&Value::from(name)), "{renewed:#}");
    }
    installation.wait_components_ready();
    let noticed = witness.end();
    assert_eq!((noticed.refused, noticed.wrong.len()), (0, 0), "{noticed:?}");
    assert_eq!(installation.game_of(&game.id), processes, "the game was not touched");

    let history = admin.get("/api/v1/components/history").json();
    let entries = history["items"].as_array().unwrap();
    let ended = entries.iter().filter(|entry| !entry["occasion"].is_null());
    for entry in ended {
        assert_eq!(entry["occasion"], "drill", "{entry}");
        assert!(entry["why"].as_str().unwrap().ends_with("on purpose (to renew its proof)"), "{entry}");
    }
    assert!(installation.components().iter().all(|component| component["restarts"] == 0), "a drill is no fault");
    // What an API server was told of the supervisor is a moment old.
    let renewal = wait_for("the API to tell of the last one", PATIENCE, || {
        let renewal = admin.get("/api/v1/components").json()["renewal"].clone();
        (renewal["last"]["component"] == "supervisor").then_some(renewal)
    });
    assert_eq!((&renewal["last"]["renewed"], &renewal["window"]), (&true.into(), &Value::Null), "{renewal:#}");
}
