//! One node in the registry: its connections and what follows from them. No I/O, no tasks.

use std::sync::Arc;

use nodepanel_types::Timestamp;
use tokio::{sync::Semaphore, time::Instant};

use super::{Connection, ConnectionFacts, Presence};
use crate::{
    link::BULK_TRANSFERS,
    tls::Purpose,
    wire::{Goodbye, GoodbyeReason},
};

pub(super) struct Entry {
    control: Option<Arc<Connection>>,
    bulk: Option<Arc<Connection>>,
    bulk_limit: Arc<Semaphore>,
    pub(super) presence: Presence,
    heard: Instant,
    heard_at: Timestamp,
    lost: String,
}

impl Entry {
    pub(super) fn new(watching_since: Timestamp) -> Self {
        Self {
            control: None,
            bulk: None,
            bulk_limit: Arc::new(Semaphore::new(BULK_TRANSFERS)),
            presence: Presence::NeverSeen { watching_since },
            heard: Instant::now(),
            heard_at: watching_since,
            lost: String::new(),
        }
    }

    fn slot(&mut self, purpose: Purpose) -> &mut Option<Arc<Connection>> {
        if purpose == Purpose::Bulk { &mut self.bulk } else { &mut self.control }
    }

    pub(super) fn live(&self, purpose: Purpose) -> Option<Arc<Connection>> {
        let slot = if purpose == Purpose::Bulk { &self.bulk } else { &self.control };
        slot.as_ref().filter(|connection| connection.is_live()).cloned()
    }

    pub(super) fn bulk_limit(&self) -> Arc<Semaphore> {
        Arc::clone(&self.bulk_limit)
    }

    /// Takes the connection in; returns those that it displaces, with what to tell them.
    pub(super) fn admit(&mut self, new: &Arc<Connection>) -> Result<Vec<(Arc<Connection>, Goodbye)>, Goodbye> {
        let facts = new.facts();
        let newest = Purpose::LINKS.iter().filter_map(|purpose| self.live(*purpose)).max_by_key(|c| c.facts().epoch);
        if let Some(newest) = newest.filter(|newest| newest.facts().epoch > facts.epoch) {
            return Err(superseded(newest.facts()));
        }
        let mut displaced = Vec::new();
        for purpose in Purpose::LINKS {
            let slot = self.slot(purpose);
            let Some(old) = slot.take_if(|old| old.facts().epoch < facts.epoch || purpose == facts.purpose) else {
                continue;
            };
            let goodbye = if old.facts().epoch < facts.epoch { superseded(facts) } else { replaced() };
            displaced.push((old, goodbye));
        }
        *self.slot(facts.purpose) = Some(Arc::clone(new));
        Ok(displaced)
    }

    pub(super) fn take_connections(&mut self) -> Vec<Arc<Connection>> {
        [self.control.take(), self.bulk.take()].into_iter().flatten().collect()
    }

    /// A control connection is up. Returns the presence if it changed.
    pub(super) fn connected(&mut self, facts: &ConnectionFacts, now: Timestamp) -> Option<Presence> {
        self.heard(now);
        let since = match &self.presence {
            Presence::Connected { since, .. } => *since,
            Presence::Silent { .. } | Presence::NeverSeen { .. } => now,
        };
        self.change(Presence::Connected {
            since,
            epoch: facts.epoch,
            address: facts.peer,
            version: facts.version.clone(),
        })
    }

    pub(super) fn heard(&mut self, now: Timestamp) {
        self.heard = Instant::now();
        self.heard_at = now;
    }

    /// Returns when the node was last heard, if it has lost its control connection by this. A bulk connection does not
    /// outlive it: whatever ended the one has most likely ended the other, whose pings would notice much later.
    pub(super) fn ended(&mut self, connection: &ConnectionFacts, why: String) -> Option<Instant> {
        self.slot(connection.purpose).take_if(|held| held.facts().id == connection.id);
        if connection.purpose == Purpose::Bulk || self.control.is_some() {
            return None;
        }
        if let Some(bulk) = self.bulk.take() {
            bulk.cut(why.clone());
        }
        self.lost = why;
        Some(self.heard)
    }

    /// The grace is over: silent, unless it has linked again. Returns the presence if it changed.
    pub(super) fn judge(&mut self) -> Option<Presence> {
        if self.control.is_some() || !self.presence.is_connected() {
            return None;
        }
        self.change(Presence::Silent { since: self.heard_at, reason: self.lost.clone() })
    }

    fn change(&mut self, presence: Presence) -> Option<Presence> {
        if self.presence == presence {
            return None;
        }
        self.presence = presence;
        Some(self.presence.clone())
    }
}

fn superseded(newer: &ConnectionFacts) -> Goodbye {
    Goodbye {
        reason: GoodbyeReason::Superseded,
        message: format!(
            "another agent with this machine's identity was started later and is linked from {}; if the machine was \
             copied, enrol the copy with a join token of its own",
            newer.peer.ip()
        ),
    }
}

fn replaced() -> Goodbye {
    Goodbye { reason: GoodbyeReason::Replaced, message: "a newer connection of this agent took over".to_owned() }
}
