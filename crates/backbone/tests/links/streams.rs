//! Streams: lines without loss, readers and writers that stand still, and what is freed when they go.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::join_all};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use nodepanel_backbone::{LinkError, LinkTiming, StreamOptions, body};
use serde::Deserialize;

use crate::harness::{PATIENCE, World, eventually, timing};

#[derive(Deserialize)]
struct Line {
    n: u64,
}

fn get(path: &str) -> Request<nodepanel_backbone::Body> {
    Request::builder().uri(path).body(body::empty()).unwrap()
}

fn upload(path: &str, body: nodepanel_backbone::Body) -> Request<nodepanel_backbone::Body> {
    Request::builder().method(Method::POST).uri(path).body(body).unwrap()
}

#[tokio::test]
async fn twenty_thousand_lines_reach_three_api_servers_without_loss() {
    const LINES: u64 = 20_000;
    let world = World::new();
    let apis = [world.api(), world.api(), world.api()];
    let agent = world.agent(1);
    let readers = apis.iter().map(|api| async {
        let link = api.link(agent.node).await;
        let mut lines = link.lines(&format!("/lines?{LINES}"), &StreamOptions::default()).await.unwrap();
        let mut next = 0;
        while let Some(line) = lines.next_json::<Line>().await {
            assert_eq!(line.unwrap().n, next);
            next += 1;
        }
        next
    });
    assert_eq!(join_all(readers).await, [LINES; 3]);
}

#[tokio::test]
async fn two_hundred_stalled_readers_freeze_nobody() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let mut stalled = Vec::new();
    for _ in 0..200 {
        stalled.push(link.stream(get("/endless"), &StreamOptions::default()).await.unwrap());
    }
    // Every window is full when the agent can send no more; large answers still come through.
    let large = Bytes::from(vec![b'y'; 1 << 20]);
    for _ in 0..20 {
        let request = Request::builder().method(Method::POST).uri("/echo").body(large.clone()).unwrap();
        let response = link.request(request, PATIENCE).await.unwrap();
        assert_eq!(response.body(), &large);
    }
    assert!(api.registry.presence(agent.node).is_connected());
    drop(stalled);
    eventually("the agent has let go of everything", || async {
        (agent.handler.held.load(Ordering::SeqCst) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn stalled_uploads_block_no_other_body() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let uploads = join_all((0..100).map(|_| async {
        let endless = futures_util::stream::repeat_with(|| Ok::<_, LinkError>(Bytes::from_static(&[0; 16 * 1024])));
        let options = StreamOptions { head: PATIENCE * 10, ..StreamOptions::default() };
        link.stream(upload("/unread", body::stream(endless)), &options).await
    }));
    let others = async {
        eventually("the uploads are under way", || async {
            (agent.handler.held.load(Ordering::SeqCst) == 100).then_some(())
        })
        .await;
        let large = Bytes::from(vec![b'y'; 1 << 20]);
        for _ in 0..20 {
            let request = Request::builder().method(Method::POST).uri("/echo").body(large.clone()).unwrap();
            assert_eq!(link.request(request, PATIENCE).await.unwrap().body(), &large);
        }
        assert!(api.registry.presence(agent.node).is_connected());
    };
    tokio::select! {
        _ = uploads => panic!("an upload that nobody reads ended"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_ends_at_the_agent() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let mut lines = link.lines("/lines", &StreamOptions::default()).await.unwrap();
    lines.next().await.unwrap().unwrap();
    let quiet = link.lines("/quiet", &StreamOptions::default()).await.unwrap();
    eventually("both are held", || async { (agent.handler.held.load(Ordering::SeqCst) == 2).then_some(()) }).await;
    drop((lines, quiet));
    eventually("both are let go", || async { (agent.handler.held.load(Ordering::SeqCst) == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_stream() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let options = StreamOptions { reader: Duration::from_millis(100), ..StreamOptions::default() };
    let mut stalled = link.stream(get("/endless"), &options).await.unwrap();
    stalled.body_mut().frame().await.unwrap().unwrap();
    eventually("the agent has let go", || async { (agent.handler.held.load(Ordering::SeqCst) == 0).then_some(()) })
        .await;
    let error = stalled.body_mut().frame().await.unwrap().unwrap_err();
    assert!(matches!(error, body::BodyError::ReaderStalled { .. }), "{error}");
}

#[tokio::test]
async fn an_upload_that_stands_still_is_given_up() {
    let world = World::with_timing(LinkTiming { body_stall: Duration::from_millis(200), ..timing() });
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let silent = futures_util::stream::pending::<Result<Bytes, LinkError>>();
    let options = StreamOptions { head: PATIENCE, ..StreamOptions::default() };
    let result = link.stream(upload("/sink", body::stream(silent)), &options).await;
    assert!(!matches!(result, Err(LinkError::Deadline { .. })), "{result:?}");
    eventually("the agent has let go", || async { (agent.handler.held.load(Ordering::SeqCst) == 0).then_some(()) })
        .await;
}

#[tokio::test]
async fn an_upload_arrives_whole() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let pieces = (0..512).map(|_| Ok::<_, LinkError>(Bytes::from_static(&[1; 16 * 1024])));
    let request = upload("/sink", body::stream(futures_util::stream::iter(pieces)));
    let options = StreamOptions { head: PATIENCE, ..StreamOptions::default() };
    let response = link.bulk(PATIENCE).await.unwrap().stream(request, &options).await.unwrap();
    let answer = body::collect(response.into_body(), 100).await.unwrap();
    assert_eq!(answer, (512 * 16 * 1024).to_string());
}

#[tokio::test]
async fn more_streams_than_fit_are_refused_at_once() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let mut streams = Vec::new();
    let refused = loop {
        match link.lines("/quiet", &StreamOptions::default()).await {
            Ok(stream) => streams.push(stream),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LinkError::Busy { .. }) && !refused.maybe_delivered(), "{refused}");
    streams.pop();
    eventually("there is room again", || async { link.lines("/quiet", &StreamOptions::default()).await.ok() }).await;
}

#[tokio::test]
async fn the_end_of_an_api_server_ends_its_streams_only() {
    let world = World::new();
    let (one, two) = (world.api(), world.api());
    let agent = world.agent(1);
    let (first, second) = (one.link(agent.node).await, two.link(agent.node).await);
    let mut cut = first.lines("/lines", &StreamOptions::default()).await.unwrap();
    let mut lines = second.lines("/lines", &StreamOptions::default()).await.unwrap();
    cut.next().await.unwrap().unwrap();
    one.kill();
    while let Some(Ok(_)) = cut.next().await {}
    eventually("the agent has let go of the one", || async {
        (agent.handler.held.load(Ordering::SeqCst) == 1).then_some(())
    })
    .await;
    for next in 0..10_000 {
        assert_eq!(lines.next_json::<Line>().await.unwrap().unwrap().n, next);
    }
}
