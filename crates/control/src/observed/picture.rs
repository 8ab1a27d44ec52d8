//! The picture of every node.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use nodepanel_types::{
    NodeId, ServerId, Timestamp,
    stats::{NodeUsage, Sample},
    wire::{NodeFacts, NodeFrame, ObservedServer},
};
use tokio::sync::broadcast;

/// Changes that a slow subscriber may be behind before it has to look at everything again.
const BACKLOG: usize = 4_096;

/// Whether a node answers this API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It never did since this API server runs.
    Unseen,
    /// It does.
    Online {
        /// Since when.
        since: Timestamp,
    },
    /// It does not any more.
    Silent {
        /// Since when.
        since: Timestamp,
        /// Why, as far as it is known, in words.
        reason: String,
    },
}

/// Everything that is known of a node.
#[derive(Debug, Clone)]
pub struct NodePicture {
    /// Whether it answers.
    pub presence: Presence,
    /// What it said of itself.
    pub facts: Option<NodeFacts>,
    /// What it has and uses.
    pub usage: Option<NodeUsage>,
    /// Its servers.
    pub servers: HashMap<ServerId, ObservedServer>,
    /// Their newest figures.
    pub samples: HashMap<ServerId, Sample>,
    /// When it said anything last.
    pub heard_at: Option<Timestamp>,
    /// Whether the complete list of its servers was received since it is online.
    pub complete: bool,
}

impl Default for NodePicture {
    fn default() -> Self {
        Self {
            presence: Presence::Unseen,
            facts: None,
            usage: None,
            servers: HashMap::new(),
            samples: HashMap::new(),
            heard_at: None,
            complete: false,
        }
    }
}

impl NodePicture {
    /// Whether the node answers now.
    pub const fn online(&self) -> bool {
        matches!(self.presence, Presence::Online { .. })
    }
}

/// What changed in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedChange {
    /// Presence, facts or the whole list of servers of a node.
    Node(NodeId),
    /// One server of a node.
    Server(NodeId, ServerId),
    /// A node reports that a server is gone from it.
    Removed(NodeId, ServerId),
    /// New figures of a node and its servers.
    Stats(NodeId),
}

/// What is known of a server whose agent is still finding out what it does: what was known before.
fn last_known(told: ObservedServer, before: Option<ObservedServer>) -> ObservedServer {
    match before {
        Some(before) if told.looking => ObservedServer { phase: before.phase, since: before.since, ..told },
        _ => told,
    }
}

/// The pictures of all nodes.
pub struct Observed {
    nodes: RwLock<HashMap<NodeId, NodePicture>>,
    changes: broadcast::Sender<ObservedChange>,
}

impl Default for Observed {
    fn default() -> Self {
        Self { nodes: RwLock::default(), changes: broadcast::channel(BACKLOG).0 }
    }
}

impl Observed {
    /// Changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ObservedChange> {
        self.changes.subscribe()
    }

    /// Looks at a node's picture; `None` when it was never heard of.
    pub fn with<T>(&self, node: NodeId, look: impl FnOnce(Option<&NodePicture>) -> T) -> T {
        look(self.read().get(&node))
    }

    /// Looks at all pictures.
    pub fn with_all<T>(&self, look: impl FnOnce(&HashMap<NodeId, NodePicture>) -> T) -> T {
        look(&self.read())
    }

    /// Takes note that a node answers or does not.
    pub fn set_presence(&self, node: NodeId, presence: Presence) {
        {
            let mut nodes = self.write();
            let picture = nodes.entry(node).or_default();
            if picture.presence == presence {
                return;
            }
            if !matches!(presence, Presence::Online { .. }) {
                picture.complete = false;
                picture.usage = None;
                picture.samples.clear();
            }
            picture.presence = presence;
        }
        self.tell(ObservedChange::Node(node));
    }

    /// Takes in what a node said.
    pub fn hear(&self, node: NodeId, frame: NodeFrame, now: Timestamp) {
        let change = {
            let mut nodes = self.write();
            let picture = nodes.entry(node).or_default();
            picture.heard_at = Some(now);
            match frame {
                NodeFrame::Hello(facts) => {
                    picture.facts = Some(facts);
                    Some(ObservedChange::Node(node))
                }
                NodeFrame::Snapshot { servers } => {
                    let mut before = std::mem::take(&mut picture.servers);
                    let now = |server: ObservedServer| {
                        let id = server.server;
                        (id, last_known(server, before.remove(&id)))
                    };
                    picture.servers = servers.into_iter().map(now).collect();
                    picture.complete = true;
                    Some(ObservedChange::Node(node))
                }
                NodeFrame::Server(server) => {
                    let id = server.server;
                    if server.phase.run().is_none() {
                        picture.samples.remove(&id);
                    }
                    picture.servers.insert(id, server);
                    Some(ObservedChange::Server(node, id))
                }
                NodeFrame::Removed { server } => {
                    picture.servers.remove(&server);
                    picture.samples.remove(&server);
                    Some(ObservedChange::Removed(node, server))
                }
                NodeFrame::Stats { node: usage, servers } => {
                    picture.usage = Some(usage);
                    picture.samples = servers.into_iter().map(|sample| (sample.server, sample.sample)).collect();
                    Some(ObservedChange::Stats(node))
                }
                NodeFrame::Activity(_) => None,
            }
        };
        if let Some(change) = change {
            self.tell(change);
        }
    }

    /// Forgets a node that was removed.
    pub fn forget(&self, node: NodeId) {
        self.write().remove(&node);
        self.tell(ObservedChange::Node(node));
    }

    fn tell(&self, change: ObservedChange) {
        // Without subscribers nobody needs to know.
        let _ = self.changes.send(change);
    }

    // A panic while the lock was held leaves a picture that the next snapshot replaces.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<NodeId, NodePicture>> {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<NodeId, NodePicture>> {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner)
    }
}
