//! How far a cache can be trusted to show the present.

use std::time::Duration;

use tokio::time::Instant;

use crate::Revision;

/// A silent watch says so every second; after this long its silence means something else.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// What a cache shows, and since when it may be out of date.
#[derive(Debug, Clone)]
pub struct Freshness {
    /// The revision that is shown; `None` until the first list has arrived.
    pub revision: Option<Revision>,
    /// When this was last known to be the present state.
    pub as_of: Instant,
    /// Why the store cannot be followed at present, in words.
    pub outage: Option<String>,
}

impl Freshness {
    pub(super) fn loading() -> Self {
        Self { revision: None, as_of: Instant::now(), outage: None }
    }

    /// Whether anything is shown at all.
    pub const fn is_loaded(&self) -> bool {
        self.revision.is_some()
    }

    /// Whether the store may hold something newer that would normally be shown by now.
    pub fn is_stale(&self) -> bool {
        !self.is_loaded() || self.outage.is_some() || self.age() > SILENCE
    }

    /// How long ago this was last known to be the present state.
    pub fn age(&self) -> Duration {
        self.as_of.elapsed()
    }
}
