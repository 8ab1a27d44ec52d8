//! A watch as a reader of the change log: it remembers where it is and reads on when the log has grown.
//!
//! Nothing is queued for a slow consumer, so nothing can overflow: it reads later, and is told
//! [`StoreError::Compacted`] when the log no longer reaches back that far.

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use futures_util::stream;

use crate::{Prefix, Revision, StoreError, Watch, WatchBatch};

/// How long an idle watch waits before it proves that the store still answers.
const IDLE: Duration = Duration::from_secs(1);

/// The history of a backend, as one watch reads it.
#[async_trait]
pub(crate) trait ChangeLog: Send + Sync + 'static {
    /// What happened under `prefix` after `after`, in ascending revision, a bounded amount at a time. The last
    /// batch names the revision up to which the log was read; it is empty when nothing under `prefix` changed there.
    async fn read(&self, prefix: &Prefix, after: Revision) -> Result<Vec<WatchBatch>, StoreError>;

    /// Returns once there may be something after `revision`.
    async fn grown(&self, revision: Revision);
}

struct Position<L> {
    log: L,
    prefix: Prefix,
    revision: Revision,
    ready: VecDeque<WatchBatch>,
    failed: bool,
}

/// A watch on `log`. The first read happens here, so that a compacted start is told at once.
pub(crate) async fn follow(log: impl ChangeLog, prefix: Prefix, after: Revision) -> Result<Watch, StoreError> {
    let mut position = Position { log, prefix, revision: after, ready: VecDeque::new(), failed: false };
    position.read().await?;
    Ok(Watch::new(stream::unfold(position, |mut position| async move {
        let item = position.next().await?;
        Some((item, position))
    })))
}

impl<L: ChangeLog> Position<L> {
    async fn next(&mut self) -> Option<Result<WatchBatch, StoreError>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            if self.failed {
                return None;
            }
            // Running into the timeout is fine: the read that follows shows whether the store is there.
            let _ = tokio::time::timeout(IDLE, self.log.grown(self.revision)).await;
            if let Err(error) = self.read().await {
                self.failed = true;
                return Some(Err(error));
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        self.ready = self.log.read(&self.prefix, self.revision).await?.into();
        if let Some(last) = self.ready.back() {
            self.revision = last.revision;
        }
        Ok(())
    }
}
