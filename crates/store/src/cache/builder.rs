//! Choosing what a cache holds.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use tokio::sync::{broadcast, watch};

use super::{
    Cache, Freshness, View,
    feed::Feed,
    table::{BEHIND, Replica, Table},
};
use crate::{Backend, Record, StoreError};

/// Names the kinds of records that a [`Cache`] will hold. Each view is handed out as its kind is named, so that
/// nobody can ask for a kind that is not there.
pub struct CacheBuilder {
    backend: Arc<dyn Backend>,
    tables: HashMap<&'static str, Arc<dyn Replica>>,
    relist_every: Duration,
}

impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tables.keys()).finish()
    }
}

impl CacheBuilder {
    /// A cache of nothing yet.
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, tables: HashMap::new(), relist_every: Duration::from_secs(600) }
    }

    /// How often everything is compared with a fresh list, in case a watch has missed something.
    #[must_use]
    pub const fn relist_every(mut self, period: Duration) -> Self {
        self.relist_every = period;
        self
    }

    /// Adds a kind and gives its view. Adding a kind twice replaces the first view, which then stays empty.
    pub fn view<R: Record>(&mut self) -> Result<View<R>, StoreError> {
        let table = Arc::new(Table::<R>::new()?);
        self.tables.insert(R::KIND, Arc::clone(&table) as Arc<dyn Replica>);
        Ok(View(table))
    }

    /// Starts to follow the store, in a task of the current tokio runtime. See [`Cache::loaded`].
    pub fn start(self) -> Cache {
        let (freshness, follower) = watch::channel(Freshness::loading());
        let changes = broadcast::Sender::new(BEHIND);
        let feed = Feed {
            backend: self.backend,
            tables: self.tables,
            relist_every: self.relist_every,
            freshness,
            changes: changes.clone(),
        };
        Cache::new(tokio::spawn(feed.run()), follower, changes)
    }
}
