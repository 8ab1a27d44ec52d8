//! [`EtcdBackend`]: the contract of [`Backend`], kept by an etcd cluster.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use tonic::Status;

use super::{
    commit::{Outcome, Slots, Turn},
    convert::{at, entry, ours, theirs},
    members::{Answered, Failure, Member, Members},
    message::{
        LeaseGrantRequest, LeaseGrantResponse, LeaseLeft, LeaseRequest, LeaseRevokeResponse, RangeRequest,
        RangeResponse, TxnRequest, TxnResponse, WatchCreate, WatchOrder, WatchRequest, WatchResponse,
    },
    newest::Newest,
    options::EtcdOptions,
    path,
    verdict::Refusal,
    watch::{self, Following},
};
use crate::{
    Backend, CommitError, Committed, Continue, Entry, Key, LeaseId, Operation, Page, Prefix, Revision, StoreError,
    Transaction, Watch,
};

/// For a question to be answered, by whichever member.
pub(super) const READ: Duration = Duration::from_secs(3);
/// For a write to be answered. A cluster whose leader died has another one within two seconds.
pub(super) const WRITE: Duration = Duration::from_secs(5);
/// Sorts before every key that is stored: asking for it costs nothing but the answer's revision.
const NO_KEY: &[u8] = b"!";

/// An etcd cluster as a store. Clones are the same store.
#[derive(Clone)]
pub struct EtcdBackend {
    inner: Arc<Inner>,
}

struct Inner {
    members: Arc<Members>,
    slots: Slots,
    newest: Newest,
}

impl EtcdBackend {
    /// A store behind the members that are named. Connects when it is asked for something, and has to be made within a
    /// tokio runtime.
    ///
    /// # Errors
    ///
    /// An address, a certificate or a key cannot be one.
    pub fn new(options: &EtcdOptions) -> Result<Self, StoreError> {
        let members = Arc::new(Members::new(options)?);
        let newest = Newest::start(Arc::clone(&members));
        Ok(Self { inner: Arc::new(Inner { members, slots: Slots::new(&options.writer), newest }) })
    }

    /// These are the members from now on; what is on its way to others is not interrupted.
    ///
    /// # Errors
    ///
    /// An address cannot be one; then nothing has changed.
    pub fn set_endpoints(&self, endpoints: &[String]) -> Result<(), StoreError> {
        self.inner.members.set(endpoints)
    }

    pub(super) fn members(&self) -> &Members {
        &self.inner.members
    }

    /// Entries of a range at a revision, all of them at the present one if none is given.
    async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Failure> {
        let asked = self.inner.members.race(READ, |member| {
            let request = request.clone();
            async move { member.ask(path::RANGE, request).await }
        });
        asked.await.map(|answered| answered.answer)
    }

    /// Refuses a revision that cannot be read or followed any more, or not yet.
    pub(super) async fn must_reach(&self, asked: Revision) -> Result<(), StoreError> {
        let request = RangeRequest {
            key: Bytes::from_static(NO_KEY),
            revision: theirs(asked),
            count_only: true,
            ..RangeRequest::default()
        };
        match self.range(request).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.out_of_reach(asked, failure).await),
        }
    }

    /// What a failed read at a revision means. etcd's refusals name no numbers.
    async fn out_of_reach(&self, asked: Revision, failure: Failure) -> StoreError {
        match failure {
            Failure::Refused { refusal: Refusal::Compacted, .. } => match self.oldest().await {
                Ok(oldest) => StoreError::Compacted { asked, oldest },
                Err(error) => error,
            },
            Failure::Refused { refusal: Refusal::Future, .. } => match self.revision().await {
                Ok(current) => StoreError::FutureRevision { asked, current },
                Err(error) => error,
            },
            failure => failure.of_read(),
        }
    }

    /// The oldest revision that can be read. A watch from the very beginning is refused with it.
    async fn oldest(&self) -> Result<Revision, StoreError> {
        let answered = self.inner.members.race(READ, |member| async move {
            let create = WatchCreate { key: Bytes::from_static(NO_KEY), start_revision: 1, ..WatchCreate::default() };
            let order = WatchRequest { order: Some(WatchOrder::Create(create)) };
            // Open until the answer is there: etcd ends the stream when this side does.
            let orders = futures_util::StreamExt::chain(stream::iter([order]), stream::pending());
            let mut answers = member.converse::<_, WatchResponse>(path::WATCH, orders).await?;
            loop {
                let ended = || Status::unavailable("the watch ended");
                let answer = answers.message().await?.ok_or_else(ended)?;
                if !answer.created || answer.cancelled {
                    return Ok(answer.compact_revision);
                }
            }
        });
        answered.await.map(|answered| ours(answered.answer)).map_err(Failure::of_read)
    }

    async fn send(&self, request: &TxnRequest) -> Result<Answered<TxnResponse>, Failure> {
        let asked = self.inner.members.race(WRITE, |member| {
            let request = request.clone();
            async move { member.ask(path::TXN, request).await }
        });
        asked.await
    }

    /// Says why a transaction was not committed, unless it was: by a try that was still on its way.
    async fn unless_committed(&self, turn: Turn, error: CommitError) -> Result<Committed, CommitError> {
        let Ok(Answered { answer, .. }) = self.send(&turn.give_up()).await else {
            let reason = "it was sent to several members of the store, and one of them may still do it".to_owned();
            return Err(StoreError::OutcomeUnknown { reason }.into());
        };
        let committed = turn.committed_before(&answer);
        self.inner.slots.over(turn, true);
        committed.ok_or(error)
    }

    /// What etcd's refusal of a transaction means.
    async fn refused(&self, refusal: Refusal, transaction: &Transaction) -> StoreError {
        match refusal {
            Refusal::LeaseGone => self.ended_lease(transaction).await,
            refusal => Failure::Refused { refusal, sole: true }.of_write(),
        }
    }

    /// Which of the leases of a transaction has ended.
    async fn ended_lease(&self, transaction: &Transaction) -> StoreError {
        let leases = transaction.operations().iter().filter_map(|operation| match operation {
            Operation::Put { lease, .. } => *lease,
            Operation::Delete { .. } => None,
        });
        let mut named = None;
        for lease in leases {
            let left = self.inner.members.race(READ, |member| async move {
                member.ask::<_, LeaseLeft>(path::LEASE_LEFT, LeaseRequest { id: lease.0.cast_signed() }).await
            });
            if left.await.is_ok_and(|answered| answered.answer.ttl <= 0) {
                return StoreError::LeaseNotFound { lease };
            }
            named = Some(lease);
        }
        let lost = StoreError::Unavailable { reason: "a lease ended meanwhile".to_owned() };
        named.map_or(lost, |lease| StoreError::LeaseNotFound { lease })
    }
}

#[async_trait]
impl Backend for EtcdBackend {
    async fn revision(&self) -> Result<Revision, StoreError> {
        let request = RangeRequest { key: Bytes::from_static(NO_KEY), count_only: true, ..RangeRequest::default() };
        self.range(request).await.map(|answer| at(answer.header.as_ref())).map_err(Failure::of_read)
    }

    async fn newest(&self) -> Option<Revision> {
        self.inner.newest.ask().await
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let key = Bytes::copy_from_slice(key.as_str().as_bytes());
        let answer = self.range(RangeRequest { key, ..RangeRequest::default() }).await.map_err(Failure::of_read)?;
        answer.entries.first().map(entry).transpose()
    }

    async fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError> {
        let first = from.map_or_else(|| prefix.as_str().to_owned(), |from| format!("{}\0", from.after));
        let mut limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        loop {
            let request = RangeRequest {
                key: first.clone().into(),
                range_end: prefix.end().into(),
                limit,
                // 0 is the present one.
                revision: from.map_or(0, |from| theirs(from.at)),
                ..RangeRequest::default()
            };
            match self.range(request).await {
                Ok(answer) => return page(&answer, from),
                // The largest page of small values is too large when the values are not small.
                Err(Failure::Refused { refusal: Refusal::TooLong, .. }) if limit > 1 => limit /= 4,
                Err(failure) => {
                    let asked = from.map_or(Revision::ZERO, |from| from.at);
                    return Err(self.out_of_reach(asked, failure).await);
                }
            }
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        transaction.validate()?;
        let slots = &self.inner.slots;
        loop {
            let turn = slots.take();
            match self.send(&turn.request(&transaction)).await {
                Ok(Answered { answer, sole }) => match turn.outcome(&transaction, &answer)? {
                    Outcome::Committed(committed) => {
                        slots.over(turn, true);
                        return Ok(committed);
                    }
                    Outcome::Conflict(conflict) if sole => {
                        slots.over(turn, false);
                        return Err(conflict.into());
                    }
                    Outcome::Conflict(conflict) => return self.unless_committed(turn, conflict.into()).await,
                    // With another slot, of which nobody can have heard.
                    Outcome::NoSlot => {}
                },
                Err(Failure::Refused { refusal, sole }) => {
                    let error = self.refused(refusal, &transaction).await.into();
                    if sole {
                        slots.over(turn, false);
                        return Err(error);
                    }
                    return self.unless_committed(turn, error).await;
                }
                Err(failure @ Failure::Silent { surely_not_done, .. }) => {
                    if surely_not_done {
                        slots.over(turn, false);
                    }
                    return Err(failure.of_write().into());
                }
            }
        }
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.must_reach(after).await?;
        let following = Following::start(self.clone(), prefix.clone(), after).await?;
        Ok(Watch::new(stream::unfold(following, watch::next)))
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        // In whole seconds, and never less than what was asked for. A lease whose grant was not heard of ends unused.
        let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1);
        let request = LeaseGrantRequest { ttl: seconds.cast_signed(), id: 0 };
        let granted = self
            .inner
            .members
            .race(WRITE, |member| async move { member.ask::<_, LeaseGrantResponse>(path::LEASE_GRANT, request).await });
        let answer = granted.await.map_err(Failure::of_write)?.answer;
        Ok(LeaseId(answer.id.cast_unsigned()))
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        let left = self.inner.members.race(READ, |member| keep_alive(member, lease));
        let left = left.await.map_err(Failure::of_read)?.answer;
        if left.ttl > 0 { Ok(()) } else { Err(StoreError::LeaseNotFound { lease }) }
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        let revoked = self.inner.members.race(WRITE, |member| async move {
            let request = LeaseRequest { id: lease.0.cast_signed() };
            member.ask::<_, LeaseRevokeResponse>(path::LEASE_REVOKE, request).await
        });
        match revoked.await {
            Ok(_) | Err(Failure::Refused { refusal: Refusal::LeaseGone, .. }) => Ok(()),
            Err(failure) => Err(failure.of_write()),
        }
    }
}

/// A sign of life: a conversation of one request and one answer.
async fn keep_alive(member: Member, lease: LeaseId) -> Result<LeaseLeft, Status> {
    let requests = stream::iter([LeaseRequest { id: lease.0.cast_signed() }]);
    let mut answers = member.converse::<_, LeaseLeft>(path::LEASE_KEEP_ALIVE, requests).await?;
    answers.message().await?.ok_or_else(|| Status::unavailable("no answer"))
}

fn page(answer: &RangeResponse, from: Option<&Continue>) -> Result<Page, StoreError> {
    let entries = answer.entries.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    // The answer to a question about an old revision names the present one.
    let revision = from.map_or_else(|| at(answer.header.as_ref()), |from| from.at);
    let last = entries.last().filter(|_| answer.more);
    let next = last.map(|last| Continue { after: last.key.clone(), at: revision });
    Ok(Page { entries, revision, next })
}
