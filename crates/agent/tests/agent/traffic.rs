//! Network traffic in the samples.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use nodepanel_types::{
    ServerId, Timestamp,
    state::PowerAction,
    wire::{DesiredServer, Endpoint, NodeFrame, Protocol, path},
};

use crate::harness::{DEADLINE, Frames, Home, TestAgent, server};

const TO_GAME: u64 = 3_000_000;
const FROM_GAME: u64 = TO_GAME / 2;
const BLOCK: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_of_udp_are_counted_also_by_an_agent_that_came_later() {
    let home = Home::new();
    let agent = home.agent().await;
    if let Some(warning) = warnings(&agent).await.into_iter().find(|warning| warning.contains("Network traffic")) {
        eprintln!("not tested, because packets cannot be counted here: {warning}");
        return;
    }
    let (port, mut desired) = echo(Protocol::Udp);
    agent.power(&mut desired, PowerAction::Start).await;
    agent.wait_for_state(desired.server, "running").await;
    let exchange = move || exchange(port);
    Meter::of(desired.server).wait(&agent, exchange).await;
    agent.agent.close().await;

    let later = home.agent().await;
    later.wait_for_state(desired.server, "running").await;
    Meter::of(desired.server).wait(&later, exchange).await;
    later.power(&mut desired, PowerAction::Kill).await;
    later.wait_for_state(desired.server, "stopped").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_groups_connections_are_counted_and_udp_is_unknown() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not tested, because only root can give servers users of their own");
        return;
    }
    let home = Home::new();
    let mut config = home.config();
    config.limits = false;
    let agent = home.agent_with(config).await.unwrap();
    let (port, mut desired) = echo(Protocol::Tcp);
    let (_, mut with_udp) = echo(Protocol::Both);
    for server in [&mut with_udp, &mut desired] {
        agent.power(server, PowerAction::Start).await;
        agent.wait_for_state(server.server, "running").await;
    }
    let mut meter = Meter::of(desired.server);
    meter.unknown = Some(with_udp.server);
    meter.wait(&agent, move || transfer(port)).await;
    for server in [&mut with_udp, &mut desired] {
        agent.power(server, PowerAction::Kill).await;
        agent.wait_for_state(server.server, "stopped").await;
    }
}

/// What an agent says is weaker than it could be.
async fn warnings(agent: &TestAgent) -> Vec<String> {
    let NodeFrame::Hello(facts) = Frames::open(agent, path::EVENTS).await.next().await else {
        panic!("hello comes first")
    };
    facts.warnings
}

/// A game that sends half of what it gets back, at a port that was free a moment ago.
fn echo(protocol: Protocol) -> (u16, DesiredServer) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut desired = server(&["echo", &port.to_string()]);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    desired.endpoints = vec![Endpoint { name: "game".to_owned(), address, port, protocol }];
    (port, desired)
}

/// Adds up what the samples of a server tell.
struct Meter {
    server: ServerId,
    unknown: Option<ServerId>,
    then: Option<Timestamp>,
    received: u64,
    sent: u64,
}

impl Meter {
    fn of(server: ServerId) -> Self {
        Self { server, unknown: None, then: None, received: 0, sent: 0 }
    }

    /// Exchanges data when the measurement has begun, and waits until it was counted.
    async fn wait<T: Send + 'static>(&mut self, agent: &TestAgent, traffic: impl FnOnce() -> T + Send + 'static) {
        let mut events = Frames::open(agent, path::EVENTS).await;
        let mut traffic = Some(traffic);
        let mut held = None;
        let counted = tokio::time::timeout(DEADLINE, async {
            while self.received < TO_GAME * 9 / 10 || self.sent < FROM_GAME * 9 / 10 {
                let frame = events.next().await;
                if self.enter(frame)
                    && let Some(traffic) = traffic.take()
                {
                    assert_eq!((self.received, self.sent), (0, 0), "nothing was sent yet");
                    held = Some(tokio::task::spawn_blocking(traffic).await.unwrap());
                }
            }
        });
        let in_time = counted.await.is_ok();
        let (received, sent) = (self.received, self.sent);
        assert!(in_time, "counted only {received} of {TO_GAME} and {sent} of {FROM_GAME}");
        // With headers, and the clock of the samples is not exactly that of the measurement.
        assert!(received < TO_GAME * 5 / 4 && sent < FROM_GAME * 5 / 4, "{received} {sent}");
    }

    /// Whether the frame told the server's traffic.
    fn enter(&mut self, frame: NodeFrame) -> bool {
        let NodeFrame::Stats { servers, .. } = frame else { return false };
        let of = |id| servers.iter().find(|sample| sample.server == id).map(|sample| sample.sample);
        if let Some(sample) = self.unknown.and_then(of) {
            assert_eq!((sample.network_in_bps, sample.network_out_bps), (None, None));
        }
        let Some(sample) = of(self.server) else { return false };
        let Some((received, sent)) = sample.network_in_bps.zip(sample.network_out_bps) else { return false };
        let wall_ms = self.then.replace(sample.at).map_or(1_000, |then| sample.at.since(then));
        self.received += received * wall_ms / 1_000;
        self.sent += sent * wall_ms / 1_000;
        true
    }
}

/// Sends and receives everything over a connection, which stays open.
fn transfer(port: u16) -> TcpStream {
    let mut game = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    for _block in 0..TO_GAME / 10_000 {
        game.write_all(&[1; 10_000]).unwrap();
        game.read_exact(&mut [0; 5_000]).unwrap();
    }
    game
}

/// Sends and receives everything in datagrams.
fn exchange(port: u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for _block in 0..TO_GAME / BLOCK as u64 {
        socket.send(&[1; BLOCK]).unwrap();
        assert_eq!(socket.recv(&mut [0; BLOCK]).unwrap(), BLOCK / 2);
    }
}
