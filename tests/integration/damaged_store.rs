//! A store that cannot be opened: said everywhere where somebody may ask, never made worse by restarts, and forgotten as
//! soon as it is whole again.

use std::fs;

use crate::harness::{Installation, PATIENCE, Request, wait_for};

#[test]
fn a_damaged_store_is_named_everywhere_and_its_return_is_noticed() {
    let mut installation = Installation::start();
    assert!(installation.cli(&["stop"]).status.success());
    installation.ended();
    let store = installation.data_dir().join("store");
    let kept = installation.data_dir().join("store.kept");
    fs::rename(&store, &kept).unwrap();
    fs::create_dir(&store).unwrap();
    fs::write(store.join("store.db"), "this was a store once\n".repeat(1_000)).unwrap();

    let doctor = installation.cli(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(doctor.status.code() == Some(7) && text.contains("damaged"), "{text}");

    installation.up();
    let pids = wait_for("the reason in the status", PATIENCE, || {
        let servers: Vec<_> = ["api-1", "api-2"].iter().filter_map(|name| installation.component(name)).collect();
        let told = |server: &serde_json::Value| {
            server["state"] == "degraded" && server["detail"].as_str().is_some_and(|detail| detail.contains("damaged"))
        };
        (servers.len() == 2 && servers.iter().all(told))
            .then(|| servers.iter().map(|server| server["pid"].clone()).collect::<Vec<_>>())
    });
    let readyz = wait_for("the answer of last resort", PATIENCE, || {
        Request::new("GET", "/readyz").send(installation.address()).ok()
    });
    assert_eq!(readyz.status, 503);
    assert_eq!(readyz.json()["ready"], false);
    assert!(readyz.json()["reasons"].to_string().contains("damaged"), "{}", readyz.json());
    let problem = Request::new("GET", "/api/v1/session").send(installation.address()).unwrap();
    assert_eq!((problem.status, problem.json()["code"].as_str()), (503, Some("not-ready")));
    let doctor = installation.cli(&["doctor"]);
    let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.status.code() == Some(7) && text.contains("api-1 is degraded") && text.contains("damaged"),
        "{text}"
    );

    fs::remove_dir_all(&store).unwrap();
    fs::rename(&kept, &store).unwrap();
    installation.wait_ready();
    for (name, pid) in ["api-1", "api-2"].iter().zip(pids) {
        let server = installation.component(name).unwrap();
        assert_eq!((&server["pid"], &server["restarts"]), (&pid, &serde_json::json!(0)), "{server}");
    }
}
