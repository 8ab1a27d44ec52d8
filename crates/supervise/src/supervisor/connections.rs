//! The control socket: accepts, checks who is there, and turns lines into events and replies into lines.

use std::{collections::HashMap, os::fd::AsFd, os::fd::OwnedFd, sync::Arc};

use tokio::{
    net::UnixListener,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tracing::{debug, warn};

use super::core::Event;
use crate::wire::{
    Channel, Peer,
    protocol::{FromSupervisor, ToSupervisor},
};

/// Connections at a time; a worker needs one, a command line one.
const CONNECTIONS: usize = 256;
/// Messages that may wait for a connection that does not read.
const OUTBOX: usize = 64;

/// Names a connection for as long as the supervisor runs.
pub(super) type ConnectionId = u64;

/// A message on its way out.
pub(super) struct Outgoing {
    message: FromSupervisor,
    descriptors: Vec<OwnedFd>,
}

/// One connection, as the supervisor sees it.
pub(super) struct Connection {
    /// Who is at the other end.
    pub(super) peer: Peer,
    /// The worker that said hello on it.
    pub(super) slot: Option<usize>,
    outbox: mpsc::Sender<Outgoing>,
}

/// All open connections.
#[derive(Default)]
pub(super) struct Connections(HashMap<ConnectionId, Connection>);

impl Connections {
    pub(super) fn insert(&mut self, id: ConnectionId, peer: Peer, outbox: mpsc::Sender<Outgoing>) {
        self.0.insert(id, Connection { peer, slot: None, outbox });
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.0.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        self.0.remove(&id)
    }

    /// Sends a message; `false` when the connection is gone or does not read, in which case it is closed.
    pub(super) fn send(&mut self, id: ConnectionId, message: FromSupervisor) -> bool {
        self.send_with(id, message, Vec::new())
    }

    /// Sends a message with descriptors.
    pub(super) fn send_with(&mut self, id: ConnectionId, message: FromSupervisor, descriptors: Vec<OwnedFd>) -> bool {
        let Some(connection) = self.0.get(&id) else { return false };
        let sent = connection.outbox.try_send(Outgoing { message, descriptors }).is_ok();
        if !sent {
            self.0.remove(&id);
        }
        sent
    }
}

/// Accepts connections from our own user and root until the task is aborted.
pub(super) fn accept(listener: UnixListener, events: mpsc::Sender<Event>) -> JoinHandle<()> {
    let own = rustix::process::geteuid().as_raw();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::spawn(async move {
        let mut next: ConnectionId = 0;
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(%error, "the control socket cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            };
            let channel = Channel::new(stream);
            match channel.peer() {
                Ok(peer) if peer.uid == own || peer.uid == 0 => {
                    next += 1;
                    let events = events.clone();
                    tokio::spawn(async move {
                        converse(next, channel, peer, events).await;
                        drop(place);
                    });
                }
                Ok(peer) => warn!(peer.uid, peer.pid, "refused a connection of another user to the control socket"),
                Err(error) => debug!(%error, "a connection to the control socket went away"),
            }
        }
    })
}

async fn converse(id: ConnectionId, mut channel: Channel, peer: Peer, events: mpsc::Sender<Event>) {
    let (outbox, mut outgoing) = mpsc::channel::<Outgoing>(OUTBOX);
    if events.send(Event::Connected { id, peer, outbox }).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            received = channel.receive::<ToSupervisor>() => match received {
                Ok(Some(message)) => {
                    let descriptors = match &message {
                        ToSupervisor::Sockets { names } => channel.take_descriptors(names.len()),
                        _ => Vec::new(),
                    };
                    if events.send(Event::Message { id, message, descriptors }).await.is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    debug!(peer.pid, %error, "closing a connection to the control socket");
                    break;
                }
            },
            message = outgoing.recv() => {
                let Some(Outgoing { message, descriptors }) = message else { return };
                let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
                if let Err(error) = channel.send(&message, &borrowed).await {
                    debug!(peer.pid, %error, "closing a connection to the control socket");
                    break;
                }
            }
        }
    }
    let _ = events.send(Event::Disconnected { id }).await;
}
