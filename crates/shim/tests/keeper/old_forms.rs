//! What earlier builds wrote is read by this one, and said by it in the same words.

use std::path::{Path, PathBuf};

use nodepanel_shim::{
    ShimSpec,
    log::{LogReader, LogWriter},
    place,
    protocol::{Done, Envelope, PROTOCOL_VERSION, Refusal, RefusalCode, Reply, ReplyBody, ShimStatus, Typed, Welcome},
    spec::{LogSpec, Subject, UserIds},
};
use nodepanel_types::{
    state::Exit,
    wire::{LineKind, Ready, console::Extent},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

fn lines(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Reads a message, and checks that it would be written as it was.
fn same<T: DeserializeOwned + Serialize>(written: &Value) -> T {
    let read: T = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), written);
    read
}

#[test]
fn every_request_and_every_state_is_understood() {
    assert_eq!(PROTOCOL_VERSION, 1, "a new form needs fixtures of its own, beside those of the old one");
    for request in lines("requests.ndjson") {
        same::<Envelope>(&request);
    }
    for status in lines("statuses.ndjson") {
        same::<ShimStatus>(&status);
    }
    let [welcome, typed, extent, done, refused] = &lines("replies.ndjson")[..] else { panic!("five replies") };
    let ReplyBody::Ok(welcome) = same::<Reply<Welcome>>(welcome).body else { panic!("a welcome") };
    assert_eq!((welcome.v, welcome.pid), (1, 28_798));
    assert_eq!(same::<Reply<Typed>>(typed).body, ReplyBody::Ok(Typed { line: Some(42) }));
    assert_eq!(same::<Reply<Extent>>(extent).body, ReplyBody::Ok(Extent { first: 1, next: 43 }));
    assert_eq!(same::<Reply<Done>>(done).body, ReplyBody::Ok(Done {}));
    let ReplyBody::Error(Refusal { code, .. }) = same::<Reply<Done>>(refused).body else { panic!("a refusal") };
    assert_eq!(code, RefusalCode::StillRunning);
}

#[test]
fn the_files_of_an_old_shim_tell_who_it_was_and_how_its_game_ended() {
    let state = fixtures().join("state");
    let keeper = place::read_keeper(&state).unwrap().unwrap();
    assert_eq!((keeper.shim.pid, keeper.game.unwrap().pid), (28_798, 28_799));
    assert!(!place::is_alive(&state).unwrap(), "that was another boot");
    let ended = place::read_exit(&state).unwrap().unwrap();
    assert_eq!(ended.exit, Exit::Code { code: 3 });
    assert!(!ended.asked && ended.ready_at.is_some());
    let spec = ShimSpec::load(&state.join("spec.json")).unwrap();
    assert_eq!(spec.subject, Subject::Server);
    assert_eq!(spec.user, Some(UserIds { uid: 200_000, gid: 200_000 }));
    assert_eq!(spec.ready, Ready::Line { pattern: "Done \\(".to_owned() });
}

#[test]
fn an_old_log_is_read_and_gone_on_with() {
    let copy = tempfile::tempdir().unwrap();
    for segment in std::fs::read_dir(fixtures().join("log")).unwrap() {
        let segment = segment.unwrap();
        std::fs::copy(segment.path(), copy.path().join(segment.file_name())).unwrap();
    }
    let read = LogReader::new(copy.path()).read_after(0, 100).unwrap();
    let kinds: Vec<(u64, LineKind)> = read.iter().map(|line| (line.n, line.k)).collect();
    assert_eq!(kinds, [(1, LineKind::Sys), (2, LineKind::Out), (3, LineKind::In), (4, LineKind::Sys)]);
    assert_eq!(read[1].s, "\u{1b}[32mready\u{1b}[0m");
    assert_eq!(LogWriter::open(&LogSpec::new(copy.path()), 1).unwrap().next(), 5);
}
