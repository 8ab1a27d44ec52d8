//! The task that keeps a cache up to date. It never ends by itself: an outage is waited out with a backoff.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::{
    sync::{broadcast, mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{Changed, Freshness, freshness::SILENCE, table::Replica};
use crate::{Backend, Entry, Prefix, Revision, StoreError, WatchBatch, backend::Pages};

/// How long the first and the longest pause between two tries are.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

pub(super) struct Feed {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) tables: HashMap<&'static str, Arc<dyn Replica>>,
    pub(super) relist_every: Duration,
    pub(super) freshness: watch::Sender<Freshness>,
    pub(super) changes: broadcast::Sender<Changed>,
}

impl Feed {
    pub(super) async fn run(self) {
        let mut position: Option<Revision> = None;
        let mut pause = BACKOFF.0;
        loop {
            let begun = Instant::now();
            let error = self.follow(&mut position).await;
            if error.needs_relist() {
                position = None;
            }
            self.interrupted(&error);
            // A connection that held for a while was sound: the next try may be quick again.
            pause = if begun.elapsed() > BACKOFF.1 { BACKOFF.0 } else { (pause * 2).min(BACKOFF.1) };
            sleep(pause).await;
        }
    }

    /// Follows the store until something goes wrong. `position` is where to go on, `None` to list first.
    async fn follow(&self, position: &mut Option<Revision>) -> StoreError {
        let mut relist_at = Instant::now() + self.relist_every;
        loop {
            let from = match *position {
                Some(revision) => revision,
                None => match self.list().await {
                    Ok(revision) => *position.insert(revision),
                    Err(error) => return error,
                },
            };
            let mut watch = match self.backend.watch(&Prefix::everything(), from).await {
                Ok(watch) => watch,
                Err(error) => return error,
            };
            loop {
                let batch = match timeout(SILENCE, watch.next()).await {
                    Ok(Some(Ok(batch))) => batch,
                    Ok(Some(Err(error))) => return error,
                    Ok(None) => return StoreError::Unavailable { reason: "the watch ended".into() },
                    Err(_) => {
                        return StoreError::Timeout { after: SILENCE, waiting_for: "a sign of life of the watch" };
                    }
                };
                *position = Some(batch.revision);
                self.apply(&batch);
                if Instant::now() >= relist_at {
                    relist_at = Instant::now() + self.relist_every;
                    *position = None;
                    break;
                }
            }
        }
    }

    /// Lists every table; answers the revision to watch from, which is that of the oldest list. What a newer list
    /// already shows is skipped when the watch delivers it.
    async fn list(&self) -> Result<Revision, StoreError> {
        let mut oldest = self.backend.revision().await?;
        let mut changed = Vec::new();
        for table in self.tables.values() {
            let (revision, more) = self.list_table(table).await?;
            oldest = oldest.min(revision);
            changed.extend(more);
        }
        self.shown(oldest, changed);
        Ok(oldest)
    }

    /// Lists one table. Pages are fetched while the one before is parsed, on a thread that may be busy for that long.
    async fn list_table(&self, table: &Arc<dyn Replica>) -> Result<(Revision, Vec<Changed>), StoreError> {
        let mut restock = Arc::clone(table).restock();
        let (pages, mut arriving) = mpsc::channel::<Vec<Entry>>(2);
        let parsing = tokio::task::spawn_blocking(move || {
            while let Some(page) = arriving.blocking_recv() {
                restock.add(page);
            }
            restock
        });
        let listed = self.send_pages(table.prefix(), &pages).await;
        drop(pages);
        let broken =
            |error| StoreError::Unavailable { reason: format!("the copy of the store could not be built: {error}") };
        let restock = parsing.await.map_err(broken)?;
        let revision = listed?;
        Ok((revision, restock.show(revision)))
    }

    async fn send_pages(&self, prefix: &Prefix, parser: &mpsc::Sender<Vec<Entry>>) -> Result<Revision, StoreError> {
        let mut pages = Pages::new(&self.backend, prefix);
        while let Some(page) = pages.next().await? {
            // The other end is only gone when parsing panicked, which shows when it is joined.
            let _ = parser.send(page).await;
        }
        Ok(pages.revision())
    }

    fn apply(&self, batch: &WatchBatch) {
        let changed = batch.changes.iter().filter_map(|change| {
            let kind = change.key().as_str().split('/').nth(1)?;
            self.tables.get(kind)?.apply(change, batch.revision)
        });
        let changed = changed.collect();
        self.shown(batch.revision, changed);
    }

    /// Everything up to `revision` can be read now: lets those know who wait for it.
    fn shown(&self, revision: Revision, changed: Vec<Changed>) {
        let recovered =
            self.freshness.send_replace(Freshness { revision: Some(revision), as_of: Instant::now(), outage: None });
        if let Some(outage) = recovered.outage {
            tracing::info!(after_ms = recovered.as_of.elapsed().as_millis(), outage, "the store can be followed again");
        }
        for change in changed {
            // Nobody may be listening.
            let _ = self.changes.send(change);
        }
    }

    fn interrupted(&self, error: &StoreError) {
        self.freshness.send_modify(|freshness| {
            if freshness.outage.is_none() && !error.needs_relist() {
                tracing::warn!(%error, "the store cannot be followed; the last known state is served");
            }
            freshness.outage = Some(error.to_string());
        });
    }
}
