//! Which nodes are linked to this API server now, and since when the others are silent.
//!
//! Silence is not death: a node without a link is `Silent`, with the reason and since when it was not heard, and
//! nothing here concludes more than that. The registry of a process that has just started knows nothing; it says so
//! (`NeverSeen`) instead of calling every node silent.

pub(crate) mod connection;
mod entry;
mod presence;

pub(crate) use connection::{Connection, ConnectionFacts};
pub use presence::{Presence, PresenceChange};

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use nodepanel_types::{NodeId, Timestamp, clock::Clock};
use tokio::{
    sync::{Notify, broadcast},
    time::{Instant, timeout_at},
};

use crate::{
    Link, LinkTiming,
    tls::Purpose,
    wire::{Goodbye, GoodbyeReason},
};
use entry::Entry;

/// How many presence changes a subscriber may lag behind before it has to read everything again.
const CHANGES: usize = 4_096;

/// The links of one API server. Clones share the same links.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    timing: LinkTiming,
    started: Timestamp,
    began: Instant,
    /// Woken when a link came up, and when one is not expected any more.
    settled: Notify,
    nodes: Mutex<HashMap<NodeId, Entry>>,
    changes: broadcast::Sender<PresenceChange>,
    next_connection: AtomicU64,
    draining: AtomicBool,
}

impl Registry {
    /// A registry without links.
    pub fn new(clock: Arc<dyn Clock>, timing: LinkTiming) -> Self {
        let started = clock.now();
        let changes = broadcast::Sender::new(CHANGES);
        let inner = Inner {
            clock,
            timing,
            started,
            began: Instant::now(),
            settled: Notify::new(),
            nodes: Mutex::default(),
            changes,
            next_connection: AtomicU64::new(1),
            draining: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The link to a node, if this API server has one now.
    pub fn link(&self, node: NodeId) -> Option<Link> {
        let nodes = self.nodes();
        let entry = nodes.get(&node)?;
        let control = entry.live(Purpose::Control)?;
        Some(Link::new(control, entry.live(Purpose::Bulk), entry.bulk_limit(), self.inner.timing.clone()))
    }

    /// The link to a node. Where it was lost a moment ago, or this process has just begun, the next one is awaited, for
    /// `patience` at most and only until the node counts as silent: agents dial again at once, and whoever asks is
    /// better served a little later than with a refusal.
    pub async fn expect(&self, node: NodeId, patience: Duration) -> Option<Link> {
        let until = Instant::now() + patience;
        loop {
            let mut settled = pin!(self.inner.settled.notified());
            // Before the look, or what comes up between the two is missed.
            settled.as_mut().enable();
            let known_until = match (self.link(node), self.presence(node)) {
                (Some(link), _) => return Some(link),
                (None, Presence::Connected { .. }) => until,
                (None, Presence::Silent { .. }) => return None,
                (None, Presence::NeverSeen { .. }) => until.min(self.inner.began + self.inner.timing.silence_grace),
            };
            timeout_at(known_until, settled).await.ok()?;
        }
    }

    /// What is known of a node's presence.
    pub fn presence(&self, node: NodeId) -> Presence {
        let nodes = self.nodes();
        nodes
            .get(&node)
            .map_or(Presence::NeverSeen { watching_since: self.inner.started }, |entry| entry.presence.clone())
    }

    /// The presence of every node that this API server has seen.
    pub fn presences(&self) -> Vec<(NodeId, Presence)> {
        self.nodes().iter().map(|(node, entry)| (*node, entry.presence.clone())).collect()
    }

    /// Changes of presence from now on. A subscriber that gets `Lagged` reads [`Registry::presences`] again.
    pub fn watch(&self) -> broadcast::Receiver<PresenceChange> {
        self.inner.changes.subscribe()
    }

    /// Closes a node's connections, for example because it was removed. It may dial again: whether it is let in is
    /// decided then.
    pub fn disconnect(&self, node: NodeId, message: &str) {
        let goodbye = Goodbye { reason: GoodbyeReason::NotAdmitted, message: message.to_owned() };
        let connections = self.nodes().get_mut(&node).map(Entry::take_connections).unwrap_or_default();
        for connection in connections {
            connection.retire(goodbye.clone(), self.inner.timing.ping_timeout);
        }
    }

    /// Forgets a node that exists no more.
    pub fn forget(&self, node: NodeId) {
        self.disconnect(node, "this node was removed from the panel");
        self.nodes().remove(&node);
    }

    /// Tells every agent that this API server ends, and closes the connections when what is under way is done or a
    /// moment has passed. New ones are refused.
    pub(crate) async fn drain(&self) {
        self.inner.draining.store(true, Ordering::SeqCst);
        let connections: Vec<_> = self.nodes().values_mut().flat_map(Entry::take_connections).collect();
        let retiring: Vec<_> = connections
            .into_iter()
            .map(|connection| connection.retire(draining(), self.inner.timing.ping_timeout))
            .collect();
        for done in retiring {
            // An error is a panic in the task, which the runtime has reported.
            let _ = done.await;
        }
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.inner.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    pub(crate) fn timing(&self) -> &LinkTiming {
        &self.inner.timing
    }

    /// How often to ping and how long to wait, which depends on how many there are.
    pub(crate) fn ping(&self) -> (Duration, Duration) {
        let timing = &self.inner.timing;
        if self.nodes().len() >= timing.relax_from {
            (timing.relaxed_ping, timing.relaxed_ping)
        } else {
            (timing.ping_interval, timing.ping_timeout)
        }
    }

    /// The epoch of the live connection of this purpose.
    pub(crate) fn linked(&self, node: NodeId, purpose: Purpose) -> Option<u64> {
        Some(self.nodes().get(&node)?.live(purpose)?.facts().epoch)
    }

    /// Takes up a connection. An older agent with the same certificate is refused; an older connection is told.
    pub(crate) fn register(&self, connection: &Arc<Connection>) -> Result<(), Goodbye> {
        let facts = connection.facts();
        let (node, now) = (facts.node, self.inner.clock.now());
        let mut nodes = self.nodes();
        if self.inner.draining.load(Ordering::SeqCst) {
            return Err(draining());
        }
        let entry = nodes.entry(node).or_insert_with(|| Entry::new(self.inner.started));
        let displaced = entry.admit(connection)?;
        let change = (facts.purpose == Purpose::Control).then(|| entry.connected(facts, now)).flatten();
        drop(nodes);
        for (old, goodbye) in displaced {
            old.retire(goodbye, self.inner.timing.retire);
        }
        self.publish(node, change);
        self.inner.settled.notify_waiters();
        Ok(())
    }

    /// The node has answered.
    pub(crate) fn heard(&self, node: NodeId) {
        let now = self.inner.clock.now();
        if let Some(entry) = self.nodes().get_mut(&node) {
            entry.heard(now);
        }
    }

    /// A connection has ended. Whether its node is silent is decided when the grace is over.
    pub(crate) fn ended(&self, connection: &Arc<Connection>, why: String) {
        let node = connection.facts().node;
        let judged_at = {
            let mut nodes = self.nodes();
            let Some(entry) = nodes.get_mut(&node) else { return };
            entry.ended(connection.facts(), why).map(|heard| heard + self.inner.timing.silence_grace)
        };
        if let Some(at) = judged_at {
            let registry = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(at).await;
                let change = registry.nodes().get_mut(&node).and_then(Entry::judge);
                registry.publish(node, change);
                registry.inner.settled.notify_waiters();
            });
        }
    }

    fn publish(&self, node: NodeId, change: Option<Presence>) {
        if let Some(presence) = change {
            // Nobody listening is fine.
            let _ = self.inner.changes.send(PresenceChange { node, presence });
        }
    }

    fn nodes(&self) -> MutexGuard<'_, HashMap<NodeId, Entry>> {
        self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draining() -> Goodbye {
    Goodbye { reason: GoodbyeReason::Draining, message: "this API server ends; another one takes over".to_owned() }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("nodes", &self.nodes().len()).finish_non_exhaustive()
    }
}
