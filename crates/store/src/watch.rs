//! What a watch delivers.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, StreamExt as _, stream::BoxStream};

use crate::{Entry, Key, Revision, StoreError};

/// One key changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The key was written; this is its state right after.
    Put(Entry),
    /// The key was deleted, by a transaction or because its lease ended.
    Delete {
        /// The key.
        key: Key,
        /// When it was deleted.
        revision: Revision,
    },
}

impl Change {
    /// The key that changed.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete { key, .. } => key,
        }
    }
}

/// Everything that happened under the watched prefix at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchBatch {
    /// Where the watch has come to: resuming after this revision misses nothing.
    pub revision: Revision,
    /// The changes, in the order of the transaction. Empty: progress; nothing under the prefix changed up to
    /// `revision`, and the store was reachable just now.
    pub changes: Vec<Change>,
}

/// A stream of [`WatchBatch`]es in ascending revision, without gap or repetition. It ends after an error.
pub struct Watch(BoxStream<'static, Result<WatchBatch, StoreError>>);

impl Watch {
    pub(crate) fn new(stream: impl Stream<Item = Result<WatchBatch, StoreError>> + Send + 'static) -> Self {
        Self(stream.boxed())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Stream for Watch {
    type Item = Result<WatchBatch, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}
