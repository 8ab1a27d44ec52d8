//! Every agent finds every API server behind one address, and finds their replacements.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use nodepanel_backbone::{LinkAddress, LinkError, LinkTiming};
use tokio::net::TcpListener;

use crate::harness::{Api, PATIENCE, TestHandler, World, eventually, timing};

async fn echo(api: &Api, node: nodepanel_types::NodeId) -> Result<u32, LinkError> {
    api.registry.link(node).ok_or(LinkError::NotConnected { node })?.call("/echo", &7, PATIENCE).await
}

#[tokio::test]
async fn an_agent_links_every_api_server_on_a_shared_socket() {
    let world = World::new();
    let apis = [world.api(), world.api(), world.api()];
    let agent = world.agent(1);
    for api in &apis {
        api.link(agent.node).await;
        assert_eq!(echo(api, agent.node).await.unwrap(), 7);
    }
    let links = agent.status.borrow().addresses.values().map(|at| at.links.len()).sum::<usize>();
    assert_eq!(links, 6, "control and bulk with each, and nothing else");
}

#[tokio::test]
async fn api_servers_are_all_found_although_one_gets_every_connection() {
    let world = World::new();
    let here = tokio::runtime::Handle::current();
    let apis = [world.api_on(&here), world.api_on(&here), world.api_on(&here)];
    let agent = world.agent(1);
    for api in &apis {
        api.link(agent.node).await;
    }
}

#[tokio::test]
async fn an_agent_that_is_slow_does_not_replace_its_own_links() {
    // No probe comes of itself.
    let quiet = Duration::from_secs(60);
    let world = World::with_timing(LinkTiming { ping_interval: quiet, ..timing() });
    let here = tokio::runtime::Handle::current();
    let apis = [world.api_on(&here), world.api_on(&here)];
    let handler = TestHandler::default();
    handler.slow.store(200, Ordering::SeqCst);
    let agent = world.agent_as(world.node_identity(world.new_node()), 1, Arc::new(handler));
    for api in &apis {
        api.link(agent.node).await;
    }
    // One for each link that is made; one that a stall of the machine made late may be repeated.
    let probes = agent.handler.probes.load(Ordering::SeqCst);
    assert!((2..=4).contains(&probes), "{probes}");
}

#[tokio::test]
async fn an_api_server_that_is_killed_is_replaced_while_the_others_serve() {
    let world = World::new();
    let (one, two) = (world.api(), world.api());
    let agent = world.agent(1);
    one.link(agent.node).await;
    two.link(agent.node).await;
    let gone = one.instance;
    one.kill();
    assert_eq!(echo(&two, agent.node).await.unwrap(), 7);
    let three = world.api();
    world.forget(gone);
    three.link(agent.node).await;
    assert_eq!(echo(&three, agent.node).await.unwrap(), 7);
    assert_eq!(echo(&two, agent.node).await.unwrap(), 7);
}

#[tokio::test]
async fn the_only_api_server_may_come_back_as_another() {
    let world = World::new();
    let api = world.api();
    let agent = world.agent(1);
    api.link(agent.node).await;
    let gone = api.instance;
    api.kill();
    world.forget(gone);
    world.api().link(agent.node).await;
}

#[tokio::test]
async fn an_api_server_that_ends_says_so_and_waits_for_nobody() {
    let world = World::new();
    let (one, two) = (world.api(), world.api());
    let agent = world.agent(1);
    let link = one.link(agent.node).await;
    two.link(agent.node).await;
    let slow =
        tokio::spawn(async move { link.request(Request::post("/slow").body(Bytes::new()).unwrap(), PATIENCE).await });
    eventually("the request has arrived", || async { (agent.handler.held.load(Ordering::SeqCst) == 1).then_some(()) })
        .await;
    world.forget(one.instance);
    one.stop().await;
    assert_eq!(slow.await.unwrap().unwrap().body(), "\"done\"", "what is under way is finished");
    eventually("only the other is linked", || async {
        let links = agent.status.borrow().addresses.values().map(|at| at.links.len()).sum::<usize>();
        (links == 2).then_some(())
    })
    .await;
    assert_eq!(echo(&two, agent.node).await.unwrap(), 7);
}

#[tokio::test]
async fn of_two_agents_with_one_identity_the_newer_one_wins_and_the_other_is_told() {
    let world = World::new();
    let api = world.api();
    let node = world.new_node();
    let original = world.agent_as(world.node_identity(node), 1, Arc::default());
    api.link(node).await;
    let copy = world.agent_as(world.node_identity(node), 2, Arc::default());
    eventually("the copy is linked", || async { api.registry.link(node).filter(|link| link.epoch() == 2) }).await;
    let reason = original.failure().await;
    assert!(reason.contains("started later"), "{reason}");
    // It keeps asking, and is let in when the other is gone.
    drop(copy);
    eventually("the original is linked again", || async { api.registry.link(node).filter(|link| link.epoch() == 1) })
        .await;
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_says_why_until_it_can() {
    let world = World::new();
    let api = world.api();
    let agent = world.agent(1);
    api.link(agent.node).await;
    let reserved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = LinkAddress::from(reserved.local_addr().unwrap());
    drop(reserved);
    agent.addresses.send_replace(vec![world.address.clone(), elsewhere.clone()]);
    let reason = agent.failure().await;
    assert!(reason.contains("refuses connections"), "{reason}");
    assert_eq!(echo(&api, agent.node).await.unwrap(), 7, "the other address is not concerned");
    agent.addresses.send_replace(vec![elsewhere]);
    eventually("the link of a removed address ends", || async {
        api.registry.link(agent.node).is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_stops_closes_its_links() {
    let world = World::new();
    let api = world.api();
    let agent = world.agent(1);
    api.link(agent.node).await;
    agent.shutdown.cancel();
    eventually("the links are closed", || async { api.registry.link(agent.node).is_none().then_some(()) }).await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_holds_up_nobody() {
    let mut timing = crate::harness::timing();
    timing.handshake = Duration::from_millis(300);
    let world = World::with_timing(timing);
    let api = world.api();
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(tokio::net::TcpStream::connect((world.address.host(), world.address.port())).await.unwrap());
    }
    let agent = world.agent(1);
    api.link(agent.node).await;
}
