//! Moving everything from one store to another, whatever they are made of, without ever having two.
//!
//! The old store says that it has moved before anything is copied, and takes no write from then on; the new one says that
//! it is being filled until everything is there. Whoever is interrupted in between finds both and goes on, or goes back.
//! [`Housed`] is what holds every write against these two signs.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    Backend, CommitError, Committed, Continue, Entry, Expected, Key, LeaseId, Page, Prefix, Revision, StoreError,
    Transaction, Watch, backend::Pages, limits,
};

/// In the old store: where everything is now.
static MOVED: LazyLock<Key> = LazyLock::new(|| known("/moving/moved"));
/// In the new store: it is not complete.
static ARRIVING: LazyLock<Key> = LazyLock::new(|| known("/moving/arriving"));

/// Keys and values of one transaction of the copy.
const BATCH_BYTES: usize = limits::TRANSACTION_BYTES / 2;
/// Operations of one transaction of the copy.
const BATCH_KEYS: usize = 100;

#[expect(clippy::expect_used, reason = "the two keys above are keys")]
fn known(key: &str) -> Key {
    Key::new(key).expect("a key")
}

/// One move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// Names this move: the same when it is taken up again after an interruption.
    pub id: String,
    /// Where everything goes, in words for people.
    pub to: String,
}

/// How far a move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveStep {
    /// The new store is emptied of what an interrupted move left there.
    Clearing,
    /// So many entries are copied.
    Copying {
        /// The number.
        entries: usize,
    },
    /// What was copied is compared with what is there.
    Comparing,
}

/// Why a move was not made. Unless it says otherwise, the old store goes on as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The new store is in use.
    #[error("the new store already holds {entries} entries: it has to be empty, and nothing was changed")]
    NotEmpty {
        /// How many.
        entries: usize,
    },
    /// Another move was begun and neither ended nor taken back.
    #[error("another move of this store, to {to}, was begun: finish that one, or take it back")]
    Another {
        /// Where to.
        to: String,
    },
    /// What arrived is not what was sent.
    #[error("what arrived is not what was sent, from {key} on; the old store goes on as before")]
    Differs {
        /// The first key that is otherwise.
        key: String,
    },
    /// The old store failed.
    #[error("the old store failed: {0}")]
    Old(StoreError),
    /// The new store failed.
    #[error("the new store failed: {0}")]
    New(StoreError),
    /// The move failed, and so did what would have let the old store go on: it takes no writes until the move is made or
    /// taken back.
    #[error("{cause}; the old store could not be told to go on ({why}): repeat the move, or take it back")]
    Stuck {
        /// Why the move failed.
        cause: Box<Self>,
        /// Why it could not be taken back.
        why: StoreError,
    },
}

/// Moves everything to a store that is empty, or that an earlier try of the same move has begun to fill. Returns the number
/// of entries; fine when the move was made already.
///
/// Entries under leases stay behind: who holds them asks for them again. Writes are refused with
/// [`StoreError::Moved`] from the moment at which the copy begins; when it fails they are taken again.
pub async fn move_all(
    old: &Arc<dyn Backend>,
    new: &Arc<dyn Backend>,
    what: &Move,
    mut tell: impl FnMut(MoveStep) + Send,
) -> Result<usize, MoveError> {
    let Some(sign) = prepare(old, new, what, &mut tell).await? else { return Ok(0) };
    stop_writes(old, what).await?;
    let entries = match fill(old, new, &mut tell).await {
        Ok(entries) => entries,
        Err(cause) => return Err(taken_back(old, what, cause).await),
    };
    let complete = Transaction::new().when(ARRIVING.clone(), Expected::Modified(sign)).delete(ARRIVING.clone());
    let Err(error) = new.commit(complete).await else { return Ok(entries) };
    // Both would take writes if this one were carried out after the old store was told to go on: first it must not be
    // possible any more.
    let void = Transaction::new()
        .when(ARRIVING.clone(), Expected::Modified(sign))
        .put(ARRIVING.clone(), written(what).map_err(MoveError::New)?);
    match new.commit(void).await {
        Ok(_) => Err(taken_back(old, what, MoveError::New(refused(error))).await),
        Err(CommitError::Conflict(conflict)) if conflict.actual.is_none() => Ok(entries),
        Err(why) => Err(MoveError::Stuck { cause: Box::new(MoveError::New(refused(error))), why: refused(why) }),
    }
}

/// Lets the old store go on after a move has failed.
async fn taken_back(old: &Arc<dyn Backend>, what: &Move, cause: MoveError) -> MoveError {
    match go_on(old, what).await {
        Ok(()) => cause,
        Err(why) => MoveError::Stuck { cause: Box::new(cause), why },
    }
}

/// Takes a move back: the old store takes writes again. Fine when it does already.
///
/// Only for a move that was not completed. Who took it for done writes to the new store.
pub async fn go_on(old: &Arc<dyn Backend>, what: &Move) -> Result<(), StoreError> {
    let Some(sign) = old.get(&MOVED).await? else { return Ok(()) };
    if read(&sign) != Some(what.clone()) {
        return Ok(());
    }
    let back = Transaction::new().when(MOVED.clone(), Expected::Modified(sign.mod_revision)).delete(MOVED.clone());
    match old.commit(back).await {
        Ok(_) | Err(CommitError::Conflict(_)) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

/// Where a store has moved to; `None` while it has not.
pub async fn moved(store: &Arc<dyn Backend>) -> Result<Option<Move>, StoreError> {
    Ok(store.get(&MOVED).await?.as_ref().and_then(read))
}

fn read(sign: &Entry) -> Option<Move> {
    serde_json::from_slice(&sign.value).ok()
}

fn written(what: &Move) -> Result<Vec<u8>, StoreError> {
    let unwritable =
        |error: serde_json::Error| StoreError::Unwritable { key: MOVED.clone(), reason: error.to_string() };
    serde_json::to_vec(what).map_err(unwritable)
}

/// Makes sure that the new store is empty and says that it is being filled; returns the revision of that sign, or `None`
/// when it was filled before.
async fn prepare(
    old: &Arc<dyn Backend>,
    new: &Arc<dyn Backend>,
    what: &Move,
    tell: &mut (impl FnMut(MoveStep) + Send),
) -> Result<Option<Revision>, MoveError> {
    if let Some(sign) = new.get(&ARRIVING).await.map_err(MoveError::New)? {
        return match read(&sign) {
            Some(begun) if begun.id == what.id => {
                tell(MoveStep::Clearing);
                clear(new).await.map_err(MoveError::New)?;
                Ok(Some(sign.mod_revision))
            }
            Some(other) => Err(MoveError::Another { to: other.to }),
            None => Err(MoveError::Another { to: "somewhere".to_owned() }),
        };
    }
    let page = new.list(&Prefix::everything(), 1_000, None).await.map_err(MoveError::New)?;
    if !page.entries.is_empty() {
        let made = moved(old).await.map_err(MoveError::Old)?.is_some_and(|made| made.id == what.id);
        return if made { Ok(None) } else { Err(MoveError::NotEmpty { entries: page.entries.len() }) };
    }
    let sign = written(what).map_err(MoveError::New)?;
    let begin = Transaction::new().when(ARRIVING.clone(), Expected::Absent).put(ARRIVING.clone(), sign);
    match new.commit(begin).await {
        Ok(committed) => Ok(Some(committed.revision)),
        Err(error) => Err(MoveError::New(refused(error))),
    }
}

/// Removes all but the sign that the store is being filled.
async fn clear(new: &Arc<dyn Backend>) -> Result<(), StoreError> {
    loop {
        let page = new.list(&Prefix::everything(), BATCH_KEYS, None).await?;
        let old = page.entries.into_iter().filter(|entry| entry.key != *ARRIVING);
        let removal = old.fold(Transaction::new(), |removal, entry| removal.delete(entry.key));
        if removal.operations().is_empty() {
            return Ok(());
        }
        commit(new, removal).await?;
    }
}

async fn stop_writes(old: &Arc<dyn Backend>, what: &Move) -> Result<(), MoveError> {
    let sign = written(what).map_err(MoveError::Old)?;
    let stop = Transaction::new().when(MOVED.clone(), Expected::Absent).put(MOVED.clone(), sign);
    match old.commit(stop).await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict(conflict)) => match conflict.actual.as_ref().map(read) {
            Some(Some(begun)) if begun.id == what.id => Ok(()),
            Some(Some(other)) => Err(MoveError::Another { to: other.to }),
            _ => Err(MoveError::Another { to: "somewhere".to_owned() }),
        },
        Err(CommitError::Store(error)) => Err(MoveError::Old(error)),
    }
}

/// Copies, and compares.
async fn fill(
    old: &Arc<dyn Backend>,
    new: &Arc<dyn Backend>,
    tell: &mut (impl FnMut(MoveStep) + Send),
) -> Result<usize, MoveError> {
    let everything = Prefix::everything();
    let mut pages = Pages::new(old, &everything);
    let mut copied = 0;
    while let Some(page) = pages.next().await.map_err(MoveError::Old)? {
        let mut batch = Batch::default();
        for entry in page.into_iter().filter(goes_along) {
            if !batch.takes(&entry) {
                commit(new, std::mem::take(&mut batch).transaction).await.map_err(MoveError::New)?;
            }
            batch.add(entry);
            copied += 1;
        }
        commit(new, batch.transaction).await.map_err(MoveError::New)?;
        tell(MoveStep::Copying { entries: copied });
    }
    tell(MoveStep::Comparing);
    compare(old, new, pages.revision()).await?;
    Ok(copied)
}

/// Holds what is in the new store against the old one as it was when it stopped.
async fn compare(old: &Arc<dyn Backend>, new: &Arc<dyn Backend>, at: Revision) -> Result<(), MoveError> {
    let (mut sent, mut arrived) = (Reader::new(old), Reader::new(new));
    loop {
        let (sent, arrived) =
            (sent.next().await.map_err(MoveError::Old)?, arrived.next().await.map_err(MoveError::New)?);
        match (sent, arrived) {
            (None, None) => return Ok(()),
            (Some(sent), Some(arrived)) if (&sent.key, &sent.value) == (&arrived.key, &arrived.value) => {
                // The sign says that nobody writes; who did all the same would be lost.
                if sent.mod_revision > at {
                    return Err(MoveError::Differs { key: sent.key.to_string() });
                }
            }
            (sent, arrived) => {
                let first = sent.map(|entry| entry.key).into_iter().chain(arrived.map(|entry| entry.key)).min();
                return Err(MoveError::Differs { key: first.map_or_else(String::new, |key| key.to_string()) });
            }
        }
    }
}

/// Signs of moves, and what lives under a lease, stay where they are.
fn goes_along(entry: &Entry) -> bool {
    entry.lease.is_none() && entry.key != *MOVED && entry.key != *ARRIVING
}

/// The entries of a store that go along, in the order of their keys.
struct Reader<'a> {
    pages: Pages<'a>,
    ready: VecDeque<Entry>,
}

impl<'a> Reader<'a> {
    fn new(store: &'a Arc<dyn Backend>) -> Self {
        static EVERYTHING: LazyLock<Prefix> = LazyLock::new(Prefix::everything);
        Self { pages: Pages::new(store, &EVERYTHING), ready: VecDeque::new() }
    }

    async fn next(&mut self) -> Result<Option<Entry>, StoreError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            match self.pages.next().await? {
                Some(page) => self.ready = page.into_iter().filter(goes_along).collect(),
                None => return Ok(None),
            }
        }
    }
}

#[derive(Default)]
struct Batch {
    transaction: Transaction,
    bytes: usize,
}

impl Batch {
    fn takes(&self, entry: &Entry) -> bool {
        self.transaction.operations().len() < BATCH_KEYS && self.bytes + size(entry) <= BATCH_BYTES
            || self.transaction.operations().is_empty()
    }

    fn add(&mut self, entry: Entry) {
        self.bytes += size(&entry);
        self.transaction = std::mem::take(&mut self.transaction).put(entry.key, entry.value);
    }
}

fn size(entry: &Entry) -> usize {
    entry.key.as_str().len() + entry.value.len()
}

/// Commits what may be committed twice.
async fn commit(store: &Arc<dyn Backend>, transaction: Transaction) -> Result<(), StoreError> {
    if transaction.operations().is_empty() {
        return Ok(());
    }
    store.commit(transaction).await.map(drop).map_err(refused)
}

/// A conflict where nobody else writes.
fn refused(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        CommitError::Conflict(conflict) => StoreError::Unavailable { reason: conflict.to_string() },
    }
}

/// A store that takes no write once it has moved, nor before it is complete.
#[derive(Clone)]
pub struct Housed(Arc<dyn Backend>);

impl Housed {
    /// Holds every write to `store` against the signs of a move.
    pub const fn new(store: Arc<dyn Backend>) -> Self {
        Self(store)
    }

    /// Whether the store can be worked with now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Moved`], [`StoreError::Incomplete`], or it cannot be asked.
    pub async fn check(&self) -> Result<(), StoreError> {
        if let Some(Move { to, .. }) = moved(&self.0).await? {
            return Err(StoreError::Moved { to });
        }
        match self.0.get(&ARRIVING).await? {
            Some(_) => Err(StoreError::Incomplete),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for Housed {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.0.revision().await
    }

    async fn newest(&self) -> Option<Revision> {
        self.0.newest().await
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.0.get(key).await
    }

    async fn list(&self, prefix: &Prefix, limit: usize, from: Option<&Continue>) -> Result<Page, StoreError> {
        self.0.list(prefix, limit, from).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        transaction.validate()?;
        match self.0.commit(transaction.at_home([MOVED.clone(), ARRIVING.clone()])).await {
            Err(CommitError::Conflict(conflict)) if conflict.key == *MOVED => {
                let to = conflict.actual.as_ref().and_then(read).map_or_else(String::new, |moved| moved.to);
                Err(StoreError::Moved { to }.into())
            }
            Err(CommitError::Conflict(conflict)) if conflict.key == *ARRIVING => Err(StoreError::Incomplete.into()),
            outcome => outcome,
        }
    }

    async fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watch, StoreError> {
        self.0.watch(prefix, after).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.0.lease_grant(ttl).await
    }

    async fn lease_keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.0.lease_keep_alive(lease).await
    }

    async fn lease_revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.0.lease_revoke(lease).await
    }
}
