//! Requests, good and bad.

use http::{Method, StatusCode};
use nodepanel_types::{
    Timestamp,
    clock::Clock as _,
    state::PowerAction,
    wire::{
        ApplyOutcome, CommandRequest, DesiredServer, FileSpec, NodeFrame, PortCheckRequest, PortCheckResponse, Ready,
        path,
    },
};

use crate::harness::{Frames, Home, SystemClock, server, server_id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generations_only_go_forward() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    desired.generation = 5;
    assert_eq!(agent.apply(&desired).await, ApplyOutcome::Applied);
    assert_eq!(agent.apply(&desired).await, ApplyOutcome::Unchanged);
    desired.generation = 4;
    assert_eq!(agent.apply(&desired).await, ApplyOutcome::Stale { held: 5 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut no_program = server(&[]);
    no_program.launch.command.clear();
    let mut bad_path = server(&[]);
    bad_path.launch.files = vec![FileSpec {
        path: "../../etc/passwd".to_owned(),
        content: String::new(),
        keep_existing: false,
        executable: false,
    }];
    let mut bad_pattern = server(&[]);
    bad_pattern.launch.ready = Ready::Line { pattern: "(".to_owned() };
    let mut bad_package = server(&[]);
    bad_package.packages = vec!["--force-yes".to_owned()];
    for (desired, expected) in
        [(no_program, "program"), (bad_path, "relative"), (bad_pattern, "pattern"), (bad_package, "package")]
    {
        let ApplyOutcome::Refused { reason } = agent.apply(&desired).await else { panic!("{expected}") };
        assert!(reason.contains(expected), "{reason}");
    }
    assert!(agent.observed().await.is_empty());
    for (method, path, content, expected) in [
        (Method::POST, path::APPLY.to_owned(), "not json".to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        (Method::POST, path::APPLY.to_owned(), r#"{"v":99,"servers":[]}"#.to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        (Method::GET, path::console(server_id()), String::new(), StatusCode::NOT_FOUND),
        (Method::GET, "/v1/servers/../etc/console".to_owned(), String::new(), StatusCode::UNPROCESSABLE_ENTITY),
        (Method::GET, "/v1/nothing".to_owned(), String::new(), StatusCode::NOT_FOUND),
    ] {
        let (status, _) = agent.request(method, &path, content.into_bytes()).await;
        assert_eq!(status, expected, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_typed_once_however_often_it_is_sent() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    let command = CommandRequest { v: 1, line: "once".to_owned(), key: "k1".to_owned() };
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let first = agent.post(&path::command(desired.server), &command).await;
    let again = agent.post(&path::command(desired.server), &command).await;
    assert_eq!(first.0, StatusCode::OK);
    assert_eq!(first, again);
    agent.command(desired.server, "last").await;
    agent.wait_for_words(desired.server, "got last").await;
    assert_eq!(agent.console(desired.server).await.matches("got once").count(), 1);
    let bad = CommandRequest { v: 1, line: "a\nb".to_owned(), key: "k2".to_owned() };
    assert_eq!(agent.post(&path::command(desired.server), &bad).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

/// What an agent that was killed between reserving a key and writing down what came of it leaves behind.
fn reserve(home: &Home, desired: &DesiredServer, key: &str, at: Timestamp) {
    let database = rusqlite::Connection::open(home.path().join("agent/agent.db")).unwrap();
    database.busy_timeout(crate::harness::DEADLINE).unwrap();
    let row = rusqlite::params![desired.server.to_string(), key, at.as_millis()];
    database.execute("INSERT INTO keys (server, key, at) VALUES (?1, ?2, ?3)", row).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_agent_was_killed_is_typed_by_its_repetition() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    let running = agent.wait_for_state(desired.server, "running").await;

    reserve(&home, &desired, "k1", SystemClock.now());
    let command = CommandRequest { v: 1, line: "once".to_owned(), key: "k1".to_owned() };
    let first = agent.post(&path::command(desired.server), &command).await;
    assert_eq!(first.0, StatusCode::OK, "{}", first.1);
    assert!(first.1.contains("line"), "{}", first.1);
    assert_eq!(agent.post(&path::command(desired.server), &command).await, first);
    agent.wait_for_words(desired.server, "got once").await;
    assert_eq!(agent.console(desired.server).await.matches("got once").count(), 1);

    // Reserved for a run that is over: nobody can tell any more.
    reserve(&home, &desired, "k2", Timestamp::from_millis(running.since.as_millis() - 60_000));
    let late = CommandRequest { v: 1, line: "late".to_owned(), key: "k2".to_owned() };
    let (status, content) = agent.post(&path::command(desired.server), &late).await;
    assert_eq!(status, StatusCode::CONFLICT, "{content}");
    assert!(content.contains("not known"), "{content}");
    assert!(!agent.console(desired.server).await.contains("got late"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_is_read_by_number_tail_and_limit() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    for number in 0..5 {
        agent.command(desired.server, &format!("line {number}")).await;
    }
    agent.wait_for_words(desired.server, "got line 4").await;
    let console = path::console(desired.server);
    let live = agent.lines(&console).await;
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopped").await;
    let stored = agent.lines(&console).await;
    assert_eq!(live[..], stored[..live.len()], "the log on disk says the same");
    let tail = agent.lines(&format!("{console}?tail=3")).await;
    assert_eq!(tail[..], stored[stored.len() - 3..]);
    let middle = agent.lines(&format!("{console}?after=2&limit=3")).await;
    assert_eq!(middle[..], stored[2..5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_begin_with_hello_and_snapshot() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let mut events = Frames::open(&agent, path::EVENTS).await;
    assert!(matches!(events.next().await, NodeFrame::Hello(_)));
    assert!(matches!(events.next().await, NodeFrame::Snapshot { servers } if servers.len() == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_named_with_its_owner() {
    let home = Home::new();
    let agent = home.agent().await;
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = nodepanel_types::wire::Endpoint {
        name: "game".to_owned(),
        address: [127, 0, 0, 1].into(),
        port: held.local_addr().unwrap().port(),
        protocol: nodepanel_types::wire::Protocol::Both,
    };
    let request = PortCheckRequest { v: 1, endpoints: vec![endpoint.clone()] };
    let (_, content) = agent.post(path::PORTS_CHECK, &request).await;
    let response: PortCheckResponse = serde_json::from_str(&content).unwrap();
    assert_eq!(response.taken[0].endpoint, endpoint);
    assert!(response.taken[0].reason.contains("in use by"), "{}", response.taken[0].reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_was_refused_is_not_typed_later() {
    let home = Home::new();
    let agent = home.agent().await;
    let mut desired = server(&[]);
    assert_eq!(agent.apply(&desired).await, ApplyOutcome::Applied);
    let request = |key: &str| CommandRequest { v: 1, line: "too early".to_owned(), key: key.to_owned() };
    agent.wait_for_state(desired.server, "stopped").await;
    let refused = agent.post(&path::command(desired.server), &request("first")).await;
    assert_eq!(refused.0, StatusCode::CONFLICT, "{}", refused.1);
    assert!(refused.1.contains("not_running"), "{}", refused.1);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    // An earlier try under the same key, say, that was on its way.
    assert_eq!(agent.post(&path::command(desired.server), &request("first")).await, refused);
    agent.agent.close().await;
    let agent = home.agent().await;
    agent.wait_for_state(desired.server, "running").await;
    assert_eq!(agent.post(&path::command(desired.server), &request("first")).await, refused, "also by the next agent");
    let (status, content) = agent.post(&path::command(desired.server), &request("second")).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopped").await;
}
