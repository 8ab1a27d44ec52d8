//! Network traffic in the samples.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
};

use nodepanel_types::{
    state::PowerAction,
    wire::{Endpoint, NodeFrame, Protocol, path},
};

use crate::harness::{DEADLINE, Frames, Home, server};

const TO_GAME: u64 = 3_000_000;
const FROM_GAME: u64 = TO_GAME / 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_over_a_servers_connections_is_counted_in_both_directions() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested, because only root can give servers users of their own");
        return;
    }
    let home = Home::new();
    let agent = home.agent().await;
    // Free a moment ago; the game binds it.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let endpoint = Endpoint { name: "game".to_owned(), address, port, protocol: Protocol::Tcp };
    let mut desired = server(&["echo", &port.to_string()]);
    desired.endpoints = vec![endpoint.clone()];
    let mut with_udp = server(&[]);
    with_udp.endpoints = vec![Endpoint { protocol: Protocol::Both, ..endpoint }];
    agent.power(&mut with_udp, PowerAction::Start).await;
    agent.wait_for_state(with_udp.server, "running").await;
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;

    let mut events = Frames::open(&agent, path::EVENTS).await;
    let mut connection = None;
    let mut then = None;
    let (mut received, mut sent) = (0, 0);
    let counted = tokio::time::timeout(DEADLINE, async {
        while received < TO_GAME * 9 / 10 || sent < FROM_GAME * 9 / 10 {
            let NodeFrame::Stats { servers, .. } = events.next().await else { continue };
            let of = |id| servers.iter().find(|sample| sample.server == id).map(|sample| sample.sample);
            if let Some(sample) = of(with_udp.server) {
                assert_eq!((sample.network_in_bps, sample.network_out_bps), (None, None));
            }
            let Some(sample) = of(desired.server) else { continue };
            let Some((bytes_in, bytes_out)) = sample.network_in_bps.zip(sample.network_out_bps) else { continue };
            let wall_ms = then.replace(sample.at).map_or(1_000, |then| sample.at.since(then));
            received += bytes_in * wall_ms / 1_000;
            sent += bytes_out * wall_ms / 1_000;
            if connection.is_none() {
                assert_eq!((received, sent), (0, 0), "nothing was sent yet");
                connection = Some(tokio::task::spawn_blocking(move || transfer(port)).await.unwrap());
            }
        }
    });
    assert!(counted.await.is_ok(), "counted only {received} of {TO_GAME} and {sent} of {FROM_GAME}");
    // The clock of the samples is not exactly that of the measurement.
    assert!(received < TO_GAME * 5 / 4 && sent < FROM_GAME * 5 / 4, "{received} {sent}");
}

/// Sends and receives everything; the connection stays open.
fn transfer(port: u16) -> TcpStream {
    let mut game = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    for _block in 0..TO_GAME / 10_000 {
        game.write_all(&[1; 10_000]).unwrap();
        game.read_exact(&mut [0; 5_000]).unwrap();
    }
    game
}
