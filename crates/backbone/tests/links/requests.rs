//! Requests and answers, deadlines, refusals, and what is known about delivery.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use nodepanel_backbone::{LinkError, StreamOptions, body};

use crate::harness::{PATIENCE, World, eventually};

fn post(path: &str, content: &str) -> Request<Bytes> {
    Request::builder().method(Method::POST).uri(path).body(Bytes::copy_from_slice(content.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_request_is_answered() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let response = link.request(post("/echo?x=1", "hello"), PATIENCE).await.unwrap();
    assert_eq!(response.body(), "hello");
    let numbers: Vec<u32> = link.call("/echo", &[1, 2, 3], PATIENCE).await.unwrap();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn a_deadline_ends_a_request_and_frees_what_it_held() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let get = || Request::builder().uri("/never").body(Bytes::new()).unwrap();
    let error = link.request(get(), Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error, LinkError::Deadline { after: Duration::from_millis(100) });
    assert!(error.maybe_delivered() && error.worth_another_link());
    eventually("the handler is cancelled", || async { (agent.handler.held.load(Ordering::SeqCst) == 0).then_some(()) })
        .await;
    link.request(post("/echo", "still here"), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn many_deadlines_do_not_end_the_link() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    for _ in 0..4 {
        let given_up = (0..400).map(|_| async {
            let get = Request::builder().uri("/never").body(Bytes::new()).unwrap();
            link.request(get, Duration::from_millis(20)).await.unwrap_err()
        });
        futures_util::future::join_all(given_up).await;
    }
    link.request(post("/echo", "still the same link"), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn what_changes_something_runs_to_its_end_although_its_caller_gave_up() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    link.request(post("/slow", ""), Duration::from_millis(50)).await.unwrap_err();
    eventually("the handler finishes", || async { (agent.handler.finished.load(Ordering::SeqCst) == 1).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_refusal_comes_with_its_reason() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let error = link.call::<_, ()>("/refuse", &(), PATIENCE).await.unwrap_err();
    assert_eq!(error.to_string(), "the node refused the request (409): Stale: held 7");
    let error = link.lines("/refuse", &StreamOptions::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "the node refused the request (409): Stale: held 7");
    let error = link.call::<_, u32>("/echo", "not a number", PATIENCE).await.unwrap_err();
    assert!(matches!(error, LinkError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_link_says_that_nothing_was_sent() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let node = agent.node;
    let link = api.link(node).await;
    agent.kill();
    eventually("the link is gone", || async { api.registry.link(node).is_none().then_some(()) }).await;
    let error = link.request(post("/echo", "x"), PATIENCE).await.unwrap_err();
    assert!(!error.maybe_delivered(), "{error:?}");
}

#[tokio::test]
async fn bulk_transfers_take_turns_and_leave_control_alone() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    let link = api.link(agent.node).await;
    let mut transfers = Vec::new();
    for _ in 0..4 {
        let request = Request::builder().uri("/endless").body(body::empty()).unwrap();
        let permit = link.bulk(PATIENCE).await.unwrap();
        transfers.push(permit.stream(request, &StreamOptions::default()).await.unwrap());
    }
    let error = link.bulk(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, LinkError::Busy { .. }), "{error}");
    link.request(post("/echo", "x"), PATIENCE).await.unwrap();
    transfers.pop();
    link.bulk(PATIENCE).await.unwrap();
}
