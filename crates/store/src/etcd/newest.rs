//! How far the cluster has come, asked for many at once.
//!
//! Every request of a user begins with this question, and the answer is a quorum's. Those who ask while an answer is on
//! its way wait for the next one, since theirs may not be in the first; all of them share it. So the cluster is asked as
//! often as it can answer one after the other, however many users there are.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    convert::at,
    members::Members,
    message::{RangeRequest, RangeResponse},
    path,
};
use crate::Revision;

/// How long an answer may take: later, what is known has to do.
const PATIENCE: Duration = Duration::from_millis(300);
/// After no answer came in time nobody waits for one for so long.
const REST: Duration = Duration::from_millis(500);

/// Asks how far the cluster has come.
pub(super) struct Newest {
    asking: mpsc::UnboundedSender<oneshot::Sender<Option<Revision>>>,
}

impl Newest {
    /// Begins to ask, until it is dropped.
    pub(super) fn start(members: Arc<Members>) -> Self {
        let (asking, waiting) = mpsc::unbounded_channel();
        tokio::spawn(answer_all(members, waiting));
        Self { asking }
    }

    /// A revision that contains whatever was acknowledged before the call; `None` when the cluster does not say.
    pub(super) async fn ask(&self) -> Option<Revision> {
        let (answer, told) = oneshot::channel();
        self.asking.send(answer).ok()?;
        told.await.ok().flatten()
    }
}

async fn answer_all(members: Arc<Members>, mut waiting: mpsc::UnboundedReceiver<oneshot::Sender<Option<Revision>>>) {
    let mut silent_until = Instant::now();
    let mut together = Vec::new();
    while waiting.recv_many(&mut together, usize::MAX).await > 0 {
        let newest = if Instant::now() < silent_until { None } else { ask(&members).await };
        if newest.is_none() && silent_until <= Instant::now() {
            silent_until = Instant::now() + REST;
        }
        for told in together.drain(..) {
            // Who asked may have gone.
            let _ = told.send(newest);
        }
    }
}

async fn ask(members: &Members) -> Option<Revision> {
    let request = RangeRequest { key: Bytes::from_static(b"!"), count_only: true, ..RangeRequest::default() };
    let answered = members.race(PATIENCE, |member| {
        let request = request.clone();
        async move { member.ask::<_, RangeResponse>(path::RANGE, request).await }
    });
    answered.await.ok().map(|answered| at(answered.answer.header.as_ref()))
}
