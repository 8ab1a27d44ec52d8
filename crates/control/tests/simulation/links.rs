//! The links from one control plane to the machines.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use nodepanel_control::{NodeError, NodeStream, Nodes, Presence};
use nodepanel_types::{NodeId, Timestamp, wire::NodeFrame};
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
            let answer = machine.answer(path, body.as_ref());
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
            Ok(Some(Ok(answer))) => Ok(answer),
            Ok(Some(Err((status, detail)))) => Err(NodeError::Refused { status, detail }),
        }
    }

    async fn stream(&self, node: NodeId, path: &str) -> Result<NodeStream, NodeError> {
        self.life.pass().await;
        let machine = Arc::clone(self.machine(node)?);
        if path != nodepanel_types::wire::path::EVENTS || self.is_cut(node) {
            return Err(NodeError::Unreachable("there is no link".to_owned()));
        }
        let (first, later) = machine.listen().ok_or_else(|| NodeError::Broken("the agent is dead".to_owned()))?;
        let (life, chance, cuts) = (self.life.clone(), self.chance.clone(), self.cuts.clone());
        let later = stream::unfold((machine, later, cuts), |(machine, mut later, mut cuts)| async move {
            loop {
                let broken = machine.is_down() || cuts.borrow_and_update().get(&machine.id).copied().unwrap_or(false);
                if broken {
                    return None;
                }
                match tokio::time::timeout(Duration::from_millis(200), later.recv()).await {
                    Err(_) => {}
                    Ok(Err(_)) => return None,
                    Ok(Ok(frame)) => return Some((frame, (machine, later, cuts))),
                }
            }
        });
        let frames = stream::iter(first).chain(later).then(move |frame: NodeFrame| {
            let (life, chance) = (life.clone(), chance.clone());
            async move {
                chance.pause(0, 10).await;
                life.pass().await;
                let json = serde_json::to_string(&frame).unwrap();
                Ok(Bytes::from(json + "\n"))
            }
        });
        Ok(Box::pin(frames))
    }

    fn presence(&self, node: NodeId) -> Presence {
        self.presence.lock().unwrap().get(&node).cloned().unwrap_or(Presence::Unseen)
    }

    fn presence_changes(&self) -> broadcast::Receiver<NodeId> {
        self.changes.subscribe()
    }

    fn dismiss(&self, _node: NodeId, _reason: &str) {}
}
