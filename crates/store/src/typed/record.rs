//! What a type must say about itself to be stored.

use std::{
    fmt::{Debug, Display},
    hash::Hash,
    str::FromStr,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Key, Prefix, Revision, StoreError};

/// A kind of thing that is stored, one entry per thing.
pub trait Record: Serialize + DeserializeOwned + Clone + Debug + Send + Sync + 'static {
    /// The first segment of its keys, for example `servers`. Never reused for something else.
    const KIND: &'static str;

    /// The version of its JSON form, from 1. A stored form is never changed without a new version.
    const VERSION: u32;

    /// What tells two of them apart; its text is the rest of the key.
    type Id: Display + FromStr + Clone + Debug + Ord + Hash + Send + Sync + 'static;

    /// The id of this one.
    fn id(&self) -> Self::Id;

    /// Turns the JSON form of version `from` into that of `from + 1`. Called as often as it takes.
    fn upgrade(from: u32, value: Value) -> Result<Value, UpgradeError> {
        let _ = value;
        Err(UpgradeError { reason: format!("version {from} of {} is not supported any more", Self::KIND) })
    }
}

/// An old form could not be turned into the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UpgradeError {
    /// Why, in words.
    pub reason: String,
}

/// A record as it is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// When it was last written: what an update or a deletion compares with.
    pub revision: Revision,
}

/// A record that this program cannot read, most likely because a newer one wrote it. It exists all the same:
/// whoever concludes something from absence must look at these too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it is stored.
    pub key: Key,
    /// When it was last written.
    pub revision: Revision,
    /// Why it cannot be read, in words.
    pub reason: String,
}

/// The key of the record with this id.
pub(crate) fn key_of<R: Record>(id: &R::Id) -> Result<Key, StoreError> {
    Key::new(format!("/{}/{id}", R::KIND))
}

/// The prefix of all records of a kind.
pub(crate) fn prefix_of<R: Record>() -> Result<Prefix, StoreError> {
    Prefix::new(format!("/{}/", R::KIND))
}
