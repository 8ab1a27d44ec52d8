//! What NodePanel does by itself is recorded, and can be read by administrators whatever is away.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Installation, signal};

const HISTORY: &str = "/api/v1/components/history";

#[test]
fn the_history_is_told_by_whoever_knows_it_and_never_as_empty() {
    let installation = Installation::start();
    let admin = installation.admin();
    installation.kill9_and_wait("api-1");
    installation.kill9_and_wait("status");
    installation.wait_components_ready();
    let told = admin.get(HISTORY).json();
    let items = told["items"].as_array().unwrap();
    assert_eq!(items.iter().map(|item| &item["component"]).collect::<Vec<_>>(), ["status", "api-1"], "{told}");
    assert_eq!(items[1]["why"], "was killed by SIGKILL");
    assert_eq!(items[1]["occasion"], "fault");
    assert_eq!(items[1]["observed_by"], "supervisor");
    assert!(items[1]["took_ms"].as_u64().is_some() && items[1]["host"].as_str().is_some_and(|host| !host.is_empty()));
    assert!(items[1]["lost"].as_str().is_some_and(|lost| lost.contains("Nothing that was acknowledged")), "{told}");

    let first = admin.get(&format!("{HISTORY}?limit=1")).json();
    let next = first["next"].as_str().unwrap();
    let second = admin.get(&format!("{HISTORY}?limit=1&after={next}")).json();
    assert_eq!((&first["items"][0], &second["items"][0]), (&items[0], &items[1]));
    assert!(second["next"].is_null(), "{second}");
    assert_eq!(admin.get(&format!("{HISTORY}?after=yesterday")).json()["errors"][0]["field"], "after");

    let supervisor = installation.pid("supervisor");
    signal(supervisor, Signal::STOP);
    assert_eq!(admin.get(HISTORY).json(), told, "what the supervisor wrote down is read in its place");
    let journal = installation.data_dir().join("run/recoveries.jsonl");
    let aside = journal.with_extension("aside");
    fs::rename(&journal, &aside).unwrap();
    let answer = admin.get(HISTORY);
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"history-unavailable".into()), "{}", answer.text());
    fs::rename(&aside, &journal).unwrap();
    signal(supervisor, Signal::CONT);
}
