//! Players in the samples.

use std::net::{IpAddr, Ipv4Addr};

use nodepanel_types::{
    state::PowerAction,
    wire::{Endpoint, NodeFrame, PlayerQuery, Protocol, QueryKind, path},
};

use crate::harness::{Frames, Home, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_that_can_be_asked_tells_its_players() {
    let home = Home::new();
    let agent = home.agent().await;
    // Free a moment ago; the game binds it.
    let port = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut desired = server(&["status", &port.to_string()]);
    let mut mute = server(&[]);
    desired.query = Some(PlayerQuery { kind: QueryKind::Minecraft, endpoint: "game".to_owned() });
    // Everywhere, which is asked on loopback.
    let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    desired.endpoints = vec![Endpoint { name: "game".to_owned(), address, port, protocol: Protocol::Tcp }];
    mute.endpoints.clone_from(&desired.endpoints);
    agent.power(&mut mute, PowerAction::Start).await;
    agent.wait_for_state(mute.server, "running").await;
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let mut events = Frames::open(&agent, path::EVENTS).await;
    let found = tokio::time::timeout(crate::harness::DEADLINE, async {
        loop {
            let NodeFrame::Stats { servers, .. } = events.next().await else { continue };
            let of = |id| servers.iter().find(|sample| sample.server == id).map(|sample| sample.sample);
            assert_eq!(of(mute.server).and_then(|sample| sample.players), None);
            if let Some(sample) = of(desired.server).filter(|sample| sample.players.is_some()) {
                return (sample.players, sample.players_max);
            }
        }
    });
    assert_eq!(found.await.unwrap(), (Some(3), Some(20)));
}
