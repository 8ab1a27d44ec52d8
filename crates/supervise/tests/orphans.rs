//! Reaping as process 1 does it; alone in its process, since it reaps whatever it does not know.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail here")]

use nodepanel_supervise::process::{Ending, Launch, Process, reap_orphans};

fn ended_child(code: &str) -> Process {
    let child = Launch::new("/bin/sh").args(["-c", code]).start().unwrap();
    while child.is_running() {
        std::thread::yield_now();
    }
    child
}

#[tokio::test]
async fn what_is_unknown_is_reaped_and_what_is_known_is_left_to_whoever_waits_for_it() {
    let known = ended_child("exit 4");
    let orphan = ended_child("exit 5");
    let running = Launch::new("/bin/sleep").args(["600"]).start().unwrap();
    reap_orphans(&[known.pid()]);
    assert!(!orphan.identity().exists().unwrap());
    assert!(running.is_running());
    assert_eq!(known.ended().await.unwrap(), Ending::Exited { code: 4 });
    running.signal(nodepanel_supervise::process::Signal::KILL).unwrap();
}
