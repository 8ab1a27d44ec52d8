//! What subscribers of a cache are told.

use std::sync::Arc;

use crate::{Record, Revision, Stored};

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It is new.
    Created,
    /// It was written again.
    Updated,
    /// It is gone.
    Deleted,
}

/// A record of any kind changed, and the cache shows it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The kind, for example `servers`.
    pub kind: &'static str,
    /// The record's id as text.
    pub id: String,
    /// What happened.
    pub verb: Verb,
    /// When; after an outage, the revision of the list that showed it.
    pub revision: Revision,
}

/// A record of a known kind changed: what it was and what it is.
#[derive(Debug)]
pub struct RecordChange<R: Record> {
    /// The record's id.
    pub id: R::Id,
    /// What it was; `None` when it is new.
    pub old: Option<Arc<Stored<R>>>,
    /// What it is; `None` when it is gone.
    pub new: Option<Arc<Stored<R>>>,
    /// When; after an outage, the revision of the list that showed it.
    pub revision: Revision,
}

impl<R: Record> Clone for RecordChange<R> {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), old: self.old.clone(), new: self.new.clone(), revision: self.revision }
    }
}
