//! Removes the slots of processes that have gone: see [`super::commit`].

use std::collections::HashMap;

use bytes::Bytes;

use super::{
    EtcdBackend,
    commit::SLOTS,
    members::Failure,
    message::{
        Compare, CompareResult, CompareTarget, CompareValue, DeleteRequest, RangeRequest, RangeResponse, Request,
        TxnRequest, TxnResponse,
    },
    path,
};
use crate::StoreError;

/// How many slots one request removes.
const AT_ONCE: usize = 64;

/// What was seen of slots at the last sweep.
#[derive(Debug, Default)]
pub struct Sweep {
    /// When each slot was written last, as a revision of etcd's.
    seen: HashMap<Bytes, i64>,
}

impl EtcdBackend {
    /// Removes the slots that nobody has used since the sweep before. To be called about once an hour: a try of a
    /// transaction that is still on its way by then finds no slot, and is not carried out either.
    ///
    /// Returns how many were removed.
    pub async fn sweep(&self, sweep: &mut Sweep) -> Result<usize, StoreError> {
        let now = self.slots().await?;
        let unused = now.iter().filter(|(slot, written)| sweep.seen.get(*slot) == Some(written));
        let unused: Vec<_> = unused.map(|(slot, written)| (slot.clone(), *written)).collect();
        for part in unused.chunks(AT_ONCE) {
            let request = removal(part);
            let removed = self.members().race(super::backend::WRITE, |member| {
                let request = request.clone();
                async move { member.ask::<_, TxnResponse>(path::TXN, request).await }
            });
            removed.await.map_err(Failure::of_write)?;
        }
        sweep.seen = now;
        Ok(unused.len())
    }

    async fn slots(&self) -> Result<HashMap<Bytes, i64>, StoreError> {
        let request = RangeRequest {
            key: Bytes::from_static(SLOTS.as_bytes()),
            // `0` follows `/`.
            range_end: Bytes::from_static(b"slots0"),
            ..RangeRequest::default()
        };
        let listed = self.members().race(super::backend::READ, |member| {
            let request = request.clone();
            async move { member.ask::<_, RangeResponse>(path::RANGE, request).await }
        });
        let answer = listed.await.map_err(Failure::of_read)?.answer;
        Ok(answer.entries.into_iter().map(|entry| (entry.key, entry.mod_revision)).collect())
    }
}

/// Removes slots if none of them was used meanwhile: then it is tried again at the next sweep.
fn removal(slots: &[(Bytes, i64)]) -> TxnRequest {
    let compare = slots.iter().map(|(slot, written)| Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Mod.into(),
        key: slot.clone(),
        value: Some(CompareValue::Mod(*written)),
    });
    let success = slots
        .iter()
        .map(|(slot, _)| Request::Delete(DeleteRequest { key: slot.clone(), range_end: Bytes::new() }).into());
    TxnRequest { compare: compare.collect(), success: success.collect(), failure: Vec::new() }
}
