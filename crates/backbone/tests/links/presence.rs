//! Who is there, who is silent and since when, and what does not count.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use nodepanel_backbone::{LinkTiming, Presence};

use crate::harness::{Api, PATIENCE, World, eventually, timing};

async fn silent(api: &Api, node: nodepanel_types::NodeId) -> String {
    eventually("the node counts as silent", || async {
        match api.registry.presence(node) {
            Presence::Silent { reason, .. } => Some(reason),
            _ => None,
        }
    })
    .await
}

#[tokio::test]
async fn a_node_is_connected_silent_and_connected_again_and_each_is_announced() {
    let world = World::new();
    let api = world.api();
    let mut changes = api.registry.watch();
    let node = world.new_node();
    assert!(matches!(api.registry.presence(node), Presence::NeverSeen { .. }));
    let agent = world.agent_as(world.node_identity(node), 1, Arc::default());
    api.link(node).await;
    assert!(changes.recv().await.unwrap().presence.is_connected());
    agent.kill();
    let reason = silent(&api, node).await;
    assert!(reason.contains("closed the link") || reason.contains("connection broke"), "{reason}");
    assert!(!changes.recv().await.unwrap().presence.is_connected());
    let _agent = world.agent_as(world.node_identity(node), 2, Arc::default());
    api.link(node).await;
    assert!(changes.recv().await.unwrap().presence.is_connected());
}

#[tokio::test]
async fn a_restart_within_the_grace_is_not_silence() {
    // As long as it takes on a busy machine.
    let world = World::with_timing(LinkTiming { silence_grace: Duration::from_secs(600), ..timing() });
    let api = world.api();
    let mut changes = api.registry.watch();
    let node = world.new_node();
    let agent = world.agent_as(world.node_identity(node), 1, Arc::default());
    api.link(node).await;
    let Presence::Connected { since, .. } = api.registry.presence(node) else { panic!() };
    agent.kill();
    eventually("the link is gone", || async { api.registry.link(node).is_none().then_some(()) }).await;
    assert!(api.registry.presence(node).is_connected());
    world.clock.advance(1_000);
    let _agent = world.agent_as(world.node_identity(node), 2, Arc::default());
    api.link(node).await;
    let Presence::Connected { since: still, epoch: 2, .. } = api.registry.presence(node) else { panic!() };
    assert_eq!(since, still);
    while let Ok(change) = changes.try_recv() {
        assert!(change.presence.is_connected());
    }
}

#[tokio::test]
async fn a_link_that_is_about_to_come_is_awaited_and_that_of_a_silent_node_is_not() {
    let world = World::with_timing(LinkTiming { silence_grace: Duration::from_secs(600), ..timing() });
    let api = world.api();
    let node = world.new_node();
    // This API server has just begun: no agent can have found it yet.
    let registry = api.registry.clone();
    let early = tokio::spawn(async move { registry.expect(node, PATIENCE).await });
    tokio::task::yield_now().await;
    let agent = world.agent_as(world.node_identity(node), 1, Arc::default());
    assert_eq!(early.await.unwrap().expect("the first link").epoch(), 1);
    agent.kill();
    eventually("the link is gone", || async { api.registry.link(node).is_none().then_some(()) }).await;
    assert!(api.registry.expect(node, Duration::from_millis(20)).await.is_none(), "not longer than the patience");
    let registry = api.registry.clone();
    let waiting = tokio::spawn(async move { registry.expect(node, PATIENCE).await });
    let agent = world.agent_as(world.node_identity(node), 2, Arc::default());
    assert_eq!(waiting.await.unwrap().expect("the next link").epoch(), 2);
    drop((agent, api));

    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    api.link(agent.node).await;
    let registry = api.registry.clone();
    let node = agent.node;
    agent.kill();
    eventually("the link is gone", || async { registry.link(node).is_none().then_some(()) }).await;
    // However long the patience: it ends when the node counts as silent.
    let lost = tokio::time::timeout(PATIENCE, registry.expect(node, Duration::from_secs(3_600)));
    assert!(lost.await.expect("not awaited for ever").is_none());
    assert!(api.registry.expect(node, Duration::from_secs(3_600)).await.is_none());
    assert!(
        registry.expect(world.new_node(), timing().silence_grace * 2).await.is_none(),
        "never seen, and long enough"
    );
}

#[tokio::test]
async fn an_agent_that_hangs_is_noticed_and_taken_back_when_it_goes_on() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    api.link(agent.node).await;
    let (resume, hung) = std::sync::mpsc::channel();
    agent.hang(hung);
    let reason = silent(&api, agent.node).await;
    assert!(reason.contains("did not answer"), "{reason}");
    drop(resume);
    api.link(agent.node).await;
    assert!(api.registry.presence(agent.node).is_connected());
}

#[tokio::test]
async fn an_agent_whose_connection_lives_but_that_does_not_work_is_noticed() {
    let world = World::new();
    let (api, agent) = (world.api(), world.agent(1));
    api.link(agent.node).await;
    agent.handler.stuck.store(true, Ordering::SeqCst);
    let reason = silent(&api, agent.node).await;
    assert!(reason.contains("connection is open"), "{reason}");
    agent.handler.stuck.store(false, Ordering::SeqCst);
    api.link(agent.node).await;
}
