//! A watch that goes on at another member when its own one dies.

use std::{collections::VecDeque, time::Duration};

use futures_util::stream;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tonic::{Status, Streaming};

use super::{
    EtcdBackend,
    convert::{at, entry, key, ours, theirs},
    members::within_a_try,
    message::{EventType, WatchCreate, WatchOrder, WatchProgress, WatchRequest, WatchResponse},
    path,
};
use crate::{Change, Prefix, Revision, StoreError, WatchBatch};

/// After so long without news the member is asked how far it is.
const IDLE: Duration = Duration::from_secs(1);
/// After so long without anything it counts as gone.
const SILENCE: Duration = Duration::from_millis(2_500);

/// Where a watch has come to, and the member that it hears of what follows.
pub(super) struct Following {
    store: EtcdBackend,
    prefix: Prefix,
    revision: Revision,
    open: Option<Open>,
    ready: VecDeque<WatchBatch>,
    /// Members that failed since anything was heard.
    failures: usize,
    ended: bool,
}

struct Open {
    orders: mpsc::Sender<WatchRequest>,
    answers: Streaming<WatchResponse>,
    heard: Instant,
}

/// The next item, for `unfold`.
pub(super) async fn next(mut following: Following) -> Option<(Result<WatchBatch, StoreError>, Following)> {
    if following.ended {
        return None;
    }
    let item = following.batch().await;
    following.ended = item.is_err();
    Some((item, following))
}

impl Following {
    /// Follows what comes after a revision that can be followed.
    pub(super) async fn start(store: EtcdBackend, prefix: Prefix, after: Revision) -> Result<Self, StoreError> {
        let (open, ready) = (None, VecDeque::new());
        let mut following = Self { store, prefix, revision: after, open, ready, failures: 0, ended: false };
        following.connect().await?;
        Ok(following)
    }

    async fn batch(&mut self) -> Result<WatchBatch, StoreError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(batch);
            }
            if self.open.is_none() {
                // What was compacted meanwhile would be missed.
                self.store.must_reach(self.revision).await?;
                self.connect().await?;
            }
            match self.hear().await {
                Ok(Some(answer)) => self.take_in(&answer)?,
                Ok(None) => {}
                Err(reason) => self.fail(&reason)?,
            }
        }
    }

    /// Another member is tried, once each.
    fn fail(&mut self, reason: &str) -> Result<(), StoreError> {
        self.open = None;
        self.failures = self.failures.saturating_add(1);
        if self.failures > self.store.members().all().len() {
            return Err(StoreError::Unavailable {
                reason: format!("no member of the store can be followed: {reason}"),
            });
        }
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), StoreError> {
        while self.open.is_none() {
            match within_a_try(self.open_at(self.failures)).await {
                Ok(open) => self.open = Some(open),
                Err(status) => self.fail(status.message())?,
            }
        }
        Ok(())
    }

    async fn open_at(&self, tries: usize) -> Result<Open, Status> {
        let member = self.store.members().nth(tries).ok_or_else(|| Status::unavailable("no member is known"))?;
        let create = WatchCreate {
            key: self.prefix.as_str().to_owned().into(),
            range_end: self.prefix.end().into(),
            start_revision: theirs(self.revision.next()),
        };
        let (orders, ordered) = mpsc::channel(4);
        let first = WatchRequest { order: Some(WatchOrder::Create(create)) };
        orders.try_send(first).map_err(|_| Status::internal("a new channel has room"))?;
        let ordered = stream::unfold(ordered, |mut ordered| async move { Some((ordered.recv().await?, ordered)) });
        let answers = member.converse(path::WATCH, ordered).await?;
        Ok(Open { orders, answers, heard: Instant::now() })
    }

    /// What the member says next; `None` when it said nothing for a while and was asked how far it is. An error is the
    /// end of this member's watch, in words.
    async fn hear(&mut self) -> Result<Option<WatchResponse>, String> {
        let Some(open) = &mut self.open else { return Ok(None) };
        match timeout(IDLE, open.answers.message()).await {
            Ok(answer) => {
                open.heard = Instant::now();
                let answer = answer.map_err(|status| status.message().to_owned())?;
                answer.map(Some).ok_or_else(|| "the watch ended".to_owned())
            }
            Err(_) if open.heard.elapsed() > SILENCE => Err("a member fell silent".to_owned()),
            Err(_) => {
                let order = WatchRequest { order: Some(WatchOrder::Progress(WatchProgress {})) };
                open.orders.try_send(order).map_err(|_| "a member takes no orders".to_owned())?;
                Ok(None)
            }
        }
    }

    fn take_in(&mut self, answer: &WatchResponse) -> Result<(), StoreError> {
        if answer.compact_revision > 0 {
            let oldest = ours(answer.compact_revision);
            return Err(StoreError::Compacted { asked: self.revision, oldest });
        }
        if answer.cancelled {
            return self.fail(&answer.cancel_reason);
        }
        if answer.created {
            return Ok(());
        }
        self.failures = 0;
        if answer.events.is_empty() {
            // All up to this revision was delivered before.
            self.revision = self.revision.max(at(answer.header.as_ref()));
            self.ready.push_back(WatchBatch { revision: self.revision, changes: Vec::new() });
            return Ok(());
        }
        for event in &answer.events {
            let Some(found) = &event.entry else { continue };
            let revision = ours(found.mod_revision);
            let change = if event.kind == i32::from(EventType::Delete) {
                Change::Delete { key: key(&found.key)?, revision }
            } else {
                Change::Put(entry(found)?)
            };
            match self.ready.back_mut().filter(|batch| batch.revision == revision) {
                Some(batch) => batch.changes.push(change),
                None if revision > self.revision => {
                    self.ready.push_back(WatchBatch { revision, changes: vec![change] });
                }
                None => {}
            }
        }
        self.revision = self.ready.back().map_or(self.revision, |last| last.revision);
        Ok(())
    }
}
