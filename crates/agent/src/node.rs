//! What all servers of this machine share.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use nodepanel_types::{
    NodeId, ServerId, Timestamp,
    clock::{Clock, IdSource},
    wire::{NodeFacts, NodeFrame, ObservedServer},
};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cgroup::Hierarchies,
    db::{Db, Noted},
    events::Hub,
    facts::Machine,
    layout::Layout,
    plan::Note,
    runtime::Runtime,
    server::Server,
};

/// Notes of the node itself that are kept while the database cannot be written.
const NOTES_KEPT: usize = 200;

/// The node: its parts, and its servers.
pub struct Node {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) db: Db,
    pub(crate) layout: Layout,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) groups: Arc<Hierarchies>,
    pub(crate) hub: Hub,
    /// The number of the journal's last entry since the agent was started; 0 before there is one.
    pub(crate) journal_end: watch::Sender<u64>,
    /// Notes of the node itself that are not in the journal yet.
    pub(crate) unwritten: Mutex<Vec<Noted>>,
    /// Turns for installations.
    pub(crate) installs: Arc<Semaphore>,
    /// One package installation at a time.
    pub(crate) packages: Arc<Mutex<()>>,
    /// This boot of the machine.
    pub(crate) boot: String,
    /// Whether servers get users of their own.
    pub(crate) own_users: bool,
    pub(crate) version: String,
    pub(crate) machine: Machine,
    pub(crate) started_at: Timestamp,
    pub(crate) id: RwLock<Option<NodeId>>,
    /// Nothing is to run for now.
    pub(crate) suspended: watch::Sender<bool>,
    /// One `apply` or `remove` at a time.
    pub(crate) intake: Mutex<()>,
    pub(crate) servers: RwLock<BTreeMap<ServerId, Arc<Server>>>,
    /// Removed servers and the generation of their removal.
    pub(crate) tombstones: RwLock<HashMap<ServerId, u64>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
}

impl Node {
    /// A server that the node holds.
    pub fn server(&self, id: ServerId) -> Option<Arc<Server>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Every server that the node holds.
    pub fn all(&self) -> Vec<Arc<Server>> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Takes a server out of the list.
    pub(crate) fn forget(&self, id: ServerId, generation: u64) {
        self.tombstones.write().unwrap_or_else(PoisonError::into_inner).insert(id, generation);
        self.servers.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.hub.tell(NodeFrame::Removed { server: id });
    }

    /// The generation of a server's removal.
    pub(crate) fn tombstone(&self, id: ServerId) -> Option<u64> {
        self.tombstones.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// What is so, of every server.
    pub fn snapshot(&self) -> Vec<ObservedServer> {
        self.all().iter().map(|server| server.observed()).collect()
    }

    /// The machine and its agent; the nil id before the node has joined.
    pub fn facts(&self) -> NodeFacts {
        let mut warnings = self.runtime.warnings();
        warnings.extend(self.machine.warnings.iter().cloned());
        warnings.extend(self.db.trouble());
        let id = *self.id.read().unwrap_or_else(PoisonError::into_inner);
        NodeFacts {
            node: id.unwrap_or_else(|| NodeId::from_uuid(uuid::Uuid::nil())),
            version: self.version.clone(),
            hostname: self.machine.hostname.clone(),
            system: self.machine.system.clone(),
            booted_at: self.machine.booted_at,
            agent_started_at: self.started_at,
            warnings,
        }
    }

    /// Takes note of what concerns the node itself. What cannot be written now is written when it can.
    pub(crate) async fn note(&self, note: Note) {
        tracing::info!(automatic = note.automatic, "{}", note.text);
        let noted = Noted { at: self.clock.now(), note };
        self.unwritten.lock().await.push(noted);
        self.write_notes().await;
    }

    /// Writes what could not be written before.
    async fn write_notes(&self) {
        let mut unwritten = self.unwritten.lock().await;
        if unwritten.is_empty() {
            return;
        }
        if let Ok(last) = self.db.note(unwritten.clone()).await {
            unwritten.clear();
            self.journal_grew(last);
        } else {
            let excess = unwritten.len().saturating_sub(NOTES_KEPT);
            unwritten.drain(..excess);
        }
    }

    /// Lets those know who read the journal.
    pub(crate) fn journal_grew(&self, last: Option<u64>) {
        if let Some(last) = last {
            self.journal_end.send_if_modified(|end| {
                let grew = *end < last;
                *end = last.max(*end);
                grew
            });
        }
    }

    /// Tells everybody when the database gets into trouble and out of it, and writes then what could not be written.
    pub(crate) async fn watch_database(self: Arc<Self>) {
        let mut troubles = self.db.troubles();
        let closing = self.closing.clone();
        while closing.run_until_cancelled(troubles.changed()).await.is_some() {
            self.hub.tell(NodeFrame::Hello(self.facts()));
            if closing.run_until_cancelled(self.db.until_sound()).await.is_none() {
                return;
            }
            self.hub.tell(NodeFrame::Hello(self.facts()));
            self.write_notes().await;
        }
    }
}
