//! Work that one API server does for all, under a lease: finishing deletions and collecting what is no longer needed.
//!
//! Every write is fenced with the leader's token, so that a leader that slept through the end of its lease changes
//! nothing. A collector that cannot read everything collects nothing, and a clock that is set forward makes nothing old.

mod steady;

use std::{sync::Arc, time::Duration};

use nodepanel_store::{Election, Leadership, Prefix, Transaction};
use nodepanel_types::{Timestamp, limits::IDEMPOTENCY_TTL_MS};
use tokio::time::Instant;

use self::steady::Steady;
use crate::{
    ControlError, ControlPlane,
    commit::{ANSWERS, AnswerEnvelope},
    observed::NodePicture,
    record::{AllocationId, AllocationRecord, EnrolmentRecord, LoginDebtRecord, RevocationRecord, ServerRecord},
};

/// How long a silent leader keeps the office.
const TTL: Duration = Duration::from_secs(3);
/// How often deletions are looked at.
const PERIOD: Duration = Duration::from_millis(500);
/// How many rounds pass between two collections.
const COLLECT_EVERY: u32 = 240;
/// Entries that one collection removes at most; the rest is for the next.
const COLLECT_AT_ONCE: usize = 100;

/// Stands for the office for ever, and does its work while it has it.
pub async fn reconcile(plane: Arc<ControlPlane>) {
    let election = match Election::new(Arc::clone(&plane.store), "reconciler", plane.instance.to_string(), TTL) {
        Ok(election) => election,
        Err(error) => {
            tracing::error!(%error, "the reconciler's office cannot be named");
            return;
        }
    };
    let mut steady = Steady::new(plane.now(), Instant::now());
    loop {
        let leadership = election.campaign().await;
        tracing::debug!("this API server reconciles from now on");
        let lost = tokio::select! {
            lost = leadership.keep() => lost,
            () = plane.rounds(&leadership, &mut steady) => continue,
        };
        tracing::debug!(reason = %lost, "this API server reconciles no more");
    }
}

impl ControlPlane {
    async fn rounds(&self, leadership: &Leadership, steady: &mut Steady) {
        let mut until_collection = 0;
        loop {
            let now = steady.look(self.now(), Instant::now());
            self.finish_deletions(leadership).await;
            if until_collection == 0 {
                until_collection = match self.collect(leadership, now).await {
                    // There is more; floods must not come faster than they are cleared away.
                    Ok(COLLECT_AT_ONCE) => 1,
                    Ok(_) => COLLECT_EVERY,
                    Err(error) => {
                        tracing::debug!(%error, "nothing was collected; it is tried again later");
                        COLLECT_EVERY
                    }
                };
            }
            until_collection -= 1;
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Removes the records of servers that their nodes have removed.
    async fn finish_deletions(&self, leadership: &Leadership) {
        for server in self.tables.servers.filter(|server| server.deleting_since.is_some()) {
            let gone = self.observed.with(server.record.node, |picture| {
                picture
                    .filter(|picture| picture.online() && picture.complete)
                    .is_some_and(|picture: &NodePicture| !picture.servers.contains_key(&server.record.id))
            });
            // A node that never heard of the server confirms a removal as well, so absence alone is asked for again.
            if !gone || !self.removal_confirmed(&server.record).await {
                continue;
            }
            let outcome = async {
                let mut transaction =
                    leadership.fence(Transaction::new()).remove::<ServerRecord>(&server.record.id, server.revision)?;
                for endpoint in &server.record.endpoints {
                    let id = AllocationId { node: server.record.node, address: endpoint.address, port: endpoint.port };
                    if let Some(read) = self.tables.allocations.fresh(&id).await?
                        && read.record.server == Some(server.record.id)
                    {
                        transaction = transaction.update(&AllocationRecord { id, server: None }, read.revision)?;
                    }
                }
                self.store.commit(transaction).await.map_err(ControlError::from)
            };
            match outcome.await {
                Ok(committed) => self.see(committed.revision).await,
                Err(error) => tracing::debug!(server.id = %server.record.id, %error, "a deletion is finished later"),
            }
        }
    }

    async fn removal_confirmed(&self, server: &ServerRecord) -> bool {
        use nodepanel_types::wire::{Remove, WIRE_VERSION, path};
        let request = Remove { v: WIRE_VERSION, server: server.id, generation: server.generation };
        crate::nodes::call_json::<_, serde_json::Value>(
            &*self.nodes,
            server.node,
            path::REMOVE,
            &request,
            Duration::from_secs(2),
        )
        .await
        .is_ok()
    }

    /// Removes answers, revocations and permissions whose time is over `now`; how many.
    async fn collect(&self, leadership: &Leadership, now: Timestamp) -> Result<usize, ControlError> {
        let mut transaction = leadership.fence(Transaction::new());
        let mut room = COLLECT_AT_ONCE;
        for revocation in self.tables.revocations.filter(|revocation| revocation.until <= now).iter().take(room) {
            transaction = transaction.remove::<RevocationRecord>(&revocation.record.id, revocation.revision)?;
            room -= 1;
        }
        for enrolment in self.tables.enrolments.filter(|enrolment| enrolment.expires_at <= now).iter().take(room) {
            transaction = transaction.remove::<EnrolmentRecord>(&enrolment.record.id, enrolment.revision)?;
            room -= 1;
        }
        for debt in self.tables.login_debts.filter(|debt| debt.forgiven_at <= now).iter().take(room) {
            transaction = transaction.remove::<LoginDebtRecord>(&debt.record.id, debt.revision)?;
            room -= 1;
        }
        let answers = Prefix::new(ANSWERS)?;
        let mut page = self.store.list(&answers, 500, None).await?;
        loop {
            for entry in &page.entries {
                let old = serde_json::from_slice::<AnswerEnvelope>(&entry.value)
                    .is_ok_and(|answer| now.since(answer.at) > IDEMPOTENCY_TTL_MS);
                if old && room > 0 {
                    transaction = transaction
                        .when(entry.key.clone(), nodepanel_store::Expected::Modified(entry.mod_revision))
                        .delete(entry.key.clone());
                    room -= 1;
                }
            }
            match page.next.take() {
                Some(next) if room > 0 => page = self.store.list(&answers, 500, Some(&next)).await?,
                _ => break,
            }
        }
        if room < COLLECT_AT_ONCE {
            self.store.commit(transaction).await.map_err(ControlError::from)?;
        }
        Ok(COLLECT_AT_ONCE - room)
    }
}
