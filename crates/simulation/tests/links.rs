//! The links from one control plane to the machines.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use nodepanel_control::{NodeError, NodeStream, Nodes, Presence};
use nodepanel_types::{NodeId, Timestamp};
use tokio::sync::{broadcast, watch};

use crate::{chance::Chance, life::Life, machine::Machine, story::Teller};

/// Links of one life of a control plane.
pub struct Links {
    machines: Vec<Arc<Machine>>,
    life: Life,
    chance: Chance,
    teller: Teller,
    lossy: watch::Receiver<bool>,
    cuts: watch::Receiver<BTreeMap<NodeId, bool>>,
    presence: Mutex<BTreeMap<NodeId, Presence>>,
    changes: broadcast::Sender<NodeId>,
}

impl Links {
    pub fn new(
        machines: &[Arc<Machine>],
        life: Life,
        chance: Chance,
        teller: Teller,
        lossy: watch::Receiver<bool>,
        cuts: watch::Receiver<BTreeMap<NodeId, bool>>,
    ) -> Arc<Self> {
        let links = Arc::new(Self {
            machines: machines.to_vec(),
            life,
            chance,
            teller,
            lossy,
            cuts,
            presence: Mutex::default(),
            changes: broadcast::Sender::new(64),
        });
        for machine in machines {
            tokio::spawn(Arc::clone(&links).keep(Arc::clone(machine)));
        }
        links
    }

    /// Dials for ever, as an agent does, and notices within a second that nobody answers.
    async fn keep(self: Arc<Self>, machine: Arc<Machine>) {
        while !self.life.is_dead() {
            let linked = !machine.is_down() && !self.is_cut(machine.id);
            let presence = if linked {
                Presence::Online { since: Timestamp::from_millis(0) }
            } else {
                Presence::Silent { since: Timestamp::from_millis(0), reason: "simulated".to_owned() }
            };
            let before = self.presence.lock().unwrap().insert(machine.id, presence.clone());
            if before != Some(presence) {
                let _ = self.changes.send(machine.id);
            }
            self.chance.pause(20, 900).await;
        }
    }

    fn is_cut(&self, node: NodeId) -> bool {
        self.cuts.borrow().get(&node).copied().unwrap_or(false)
    }

    fn loses(&self) -> bool {
        *self.lossy.borrow() && self.chance.once_in(40)
    }

    fn machine(&self, node: NodeId) -> Result<&Arc<Machine>, NodeError> {
        let found = self.machines.iter().find(|machine| machine.id == node);
        found.ok_or_else(|| NodeError::Unreachable("there is no such machine".to_owned()))
    }
}

#[async_trait]
impl Nodes for Links {
    async fn call(
        &self,
        node: NodeId,
        path: &str,
        body: Option<Bytes>,
        deadline: Duration,
    ) -> Result<Bytes, NodeError> {
        let machine = self.machine(node)?;
        let exchange = async {
            self.life.pass().await;
            // Now and then a request is on its way for long, and overtaken by later ones.
            if self.chance.once_in(10) {
                self.chance.pause(0, 1_500).await;
            } else {
                self.chance.pause(0, 20).await;
            }
            if self.is_cut(node) || self.loses() {
                std::future::pending::<()>().await;
            }
            let answer = machine.answer(path, body).await;
            self.life.pass().await;
            self.chance.pause(0, 10).await;
            if self.is_cut(node) || self.loses() {
                self.teller.tell("answers lost", "the answer of a machine was lost");
                std::future::pending::<()>().await;
            }
            answer
        };
        match tokio::time::timeout(deadline, exchange).await {
            Err(_) => Err(NodeError::Deadline(deadline)),
            Ok(None) => Err(NodeError::Broken("the agent is dead".to_owned())),
            Ok(Some(answer)) => answer,
        }
    }

    async fn stream(&self, node: NodeId, path: &str) -> Result<NodeStream, NodeError> {
        self.life.pass().await;
        let machine = self.machine(node)?;
        if self.is_cut(node) {
            return Err(NodeError::Unreachable("there is no link".to_owned()));
        }
        let opened = machine.stream(path).await;
        let (body, agent) = opened.ok_or_else(|| NodeError::Broken("the agent is dead".to_owned()))?;
        let state = (body.into_data_stream(), agent, self.cuts.clone());
        let chunks = stream::unfold(state, move |(mut chunks, agent, mut cuts)| async move {
            let cut = cuts.wait_for(|cuts| cuts.get(&node).copied().unwrap_or(false));
            let chunk = tokio::select! {
                biased;
                () = agent.end() => None,
                _ = cut => None,
                chunk = chunks.next() => chunk,
            };
            chunk.map(|chunk| (chunk, (chunks, agent, cuts)))
        });
        let (life, chance) = (self.life.clone(), self.chance.clone());
        let chunks = chunks.then(move |chunk| {
            let (life, chance) = (life.clone(), chance.clone());
            async move {
                chance.pause(0, 10).await;
                life.pass().await;
                chunk.map_err(|error| NodeError::Broken(error.to_string()))
            }
        });
        Ok(Box::pin(chunks))
    }

    fn presence(&self, node: NodeId) -> Presence {
        self.presence.lock().unwrap().get(&node).cloned().unwrap_or(Presence::Unseen)
    }

    fn presence_changes(&self) -> broadcast::Receiver<NodeId> {
        self.changes.subscribe()
    }

    fn dismiss(&self, _node: NodeId, _reason: &str) {}
}
