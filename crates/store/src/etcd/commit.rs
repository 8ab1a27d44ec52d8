//! Transactions that are carried out once, however often they are sent.
//!
//! An answer can get lost, and a member can be slow with a request that another one has been asked meanwhile. So each
//! transaction has a *turn*: a key of its writer's own, and how often that key has been written. It compares that number,
//! and writes the key: of all tries of a transaction only one can be the next turn, whenever they arrive, and who looks
//! at the key knows what became of it. A slot, which is what such a key is called, has one transaction at a time.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;

use super::{
    convert::{at, entry, ours, theirs},
    message::{
        Compare, CompareResult, CompareTarget, CompareValue, DeleteRequest, KeyValue, PutRequest, RangeRequest,
        Request, RequestOp, ResponseOp, TxnRequest, TxnResponse,
    },
};
use crate::{Committed, Conflict, Expected, Operation, StoreError, Transaction, transaction::Compare as Condition};

/// Under which the slots are: outside of `/`, where what is stored is listed and watched.
pub(super) const SLOTS: &str = "slots/";
/// What a slot holds after a transaction.
const DONE: &[u8] = b"done";
/// What a slot holds after a transaction was given up.
const GIVEN_UP: &[u8] = b"given up";

/// The slots of this process.
pub(super) struct Slots {
    writer: String,
    next: AtomicU64,
    free: Mutex<Vec<Turn>>,
}

/// The next turn of a slot, held by one transaction. One that is dropped without [`Slots::over`] is never used again: what
/// became of it is not known.
#[derive(Debug)]
pub(super) struct Turn {
    slot: Bytes,
    /// How often the slot has been written.
    written: i64,
}

impl Slots {
    pub(super) fn new(writer: &str) -> Self {
        Self { writer: writer.to_owned(), next: AtomicU64::new(0), free: Mutex::default() }
    }

    pub(super) fn take(&self) -> Turn {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| {
            let slot = format!("{SLOTS}{}/{}", self.writer, self.next.fetch_add(1, Ordering::Relaxed));
            Turn { slot: slot.into(), written: 0 }
        })
    }

    /// The turn was used or not, and that is known.
    pub(super) fn over(&self, turn: Turn, used: bool) {
        let written = turn.written.saturating_add(i64::from(used));
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(Turn { written, ..turn });
    }
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was committed, by this try or by another.
    Committed(Committed),
    /// A compare did not hold, and this try wrote nothing, not even its slot.
    Conflict(Conflict),
    /// Somebody deleted the slot: nothing was written, and it is of no use any more.
    NoSlot,
}

impl Turn {
    /// The transaction, in etcd's words.
    pub(super) fn request(&self, transaction: &Transaction) -> TxnRequest {
        let compare = std::iter::once(self.is_next()).chain(transaction.compares().iter().map(condition)).collect();
        let success = transaction.operations().iter().map(operation).chain([self.use_up(DONE)]).collect();
        let compared = transaction.compares().iter().map(|compare| read(compare.key.as_str().to_owned().into()));
        let failure = std::iter::once(read(self.slot.clone())).chain(compared).collect();
        TxnRequest { compare, success, failure }
    }

    /// Uses the turn up, so that no try that is still on its way can be carried out.
    pub(super) fn give_up(&self) -> TxnRequest {
        let failure = vec![read(self.slot.clone())];
        TxnRequest { compare: vec![self.is_next()], success: vec![self.use_up(GIVEN_UP)], failure }
    }

    /// What the answer to [`Turn::request`] says.
    pub(super) fn outcome(&self, transaction: &Transaction, answer: &TxnResponse) -> Result<Outcome, StoreError> {
        if answer.succeeded {
            return Ok(Outcome::Committed(Committed { revision: at(answer.header.as_ref()) }));
        }
        let mut found = answer.responses.iter().map(first);
        if let Some(slot) = found.next().flatten().filter(|slot| slot.version > self.written) {
            return Ok(Outcome::Committed(Committed { revision: ours(slot.mod_revision) }));
        }
        for Condition { key, expected } in transaction.compares() {
            let actual = found.next().flatten().map(entry).transpose()?;
            if !expected.holds(actual.as_ref()) {
                return Ok(Outcome::Conflict(Conflict { key: key.clone(), expected: *expected, actual }));
            }
        }
        // All is as expected, and yet this is not the next turn.
        Ok(Outcome::NoSlot)
    }

    /// What the answer to [`Turn::give_up`] says: the transaction, if it was committed before.
    pub(super) fn committed_before(&self, answer: &TxnResponse) -> Option<Committed> {
        if answer.succeeded {
            return None;
        }
        let slot = answer.responses.first().and_then(first)?;
        let done = slot.version > self.written && slot.value == DONE;
        done.then(|| Committed { revision: ours(slot.mod_revision) })
    }

    fn is_next(&self) -> Compare {
        compare(self.slot.clone(), CompareResult::Equal, CompareTarget::Version, CompareValue::Version(self.written))
    }

    fn use_up(&self, word: &'static [u8]) -> RequestOp {
        let value = Bytes::from_static(word);
        Request::Put(PutRequest { key: self.slot.clone(), value, lease: 0 }).into()
    }
}

fn first(response: &ResponseOp) -> Option<&KeyValue> {
    response.range.as_ref()?.entries.first()
}

fn read(key: Bytes) -> RequestOp {
    Request::Range(RangeRequest { key, ..RangeRequest::default() }).into()
}

fn compare(key: Bytes, result: CompareResult, target: CompareTarget, value: CompareValue) -> Compare {
    Compare { result: result.into(), target: target.into(), key, value: Some(value) }
}

fn condition(condition: &Condition) -> Compare {
    let key = Bytes::copy_from_slice(condition.key.as_str().as_bytes());
    let created =
        |result, revision| compare(key.clone(), result, CompareTarget::Create, CompareValue::Create(revision));
    match condition.expected {
        Expected::Absent => created(CompareResult::Equal, 0),
        Expected::Present => created(CompareResult::Greater, 0),
        Expected::Created(revision) => created(CompareResult::Equal, theirs(revision)),
        Expected::Modified(revision) => {
            let revision = CompareValue::Mod(theirs(revision));
            compare(key.clone(), CompareResult::Equal, CompareTarget::Mod, revision)
        }
    }
}

fn operation(operation: &Operation) -> RequestOp {
    let key = Bytes::copy_from_slice(operation.key().as_str().as_bytes());
    match operation {
        Operation::Put { value, lease, .. } => {
            let lease = lease.map_or(0, |lease| lease.0.cast_signed());
            Request::Put(PutRequest { key, value: value.clone(), lease }).into()
        }
        Operation::Delete { .. } => Request::Delete(DeleteRequest { key, range_end: Bytes::new() }).into(),
    }
}
