//! One server of this node: what it should be, what it is, and the task that brings the two together.

mod act;
mod admit;
mod components;
mod console;
mod task;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use nodepanel_types::{
    ServerId, Timestamp,
    stats::Sample,
    wire::{DesiredServer, ObservedServer},
};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use act::{erase, make_home};
pub(crate) use admit::{admit, take_over};
pub use components::Keeper;
pub use console::{ConsoleQuery, Feed, pump};
pub use task::{Task, TaskConfig};

use crate::{db::DbError, layout::ServerLayout, stats::Series};

/// Orders that may wait for the task.
const ORDERS: usize = 16;
/// Stands for "not measured yet" in `disk_blocks`.
const UNKNOWN: u64 = u64::MAX;

/// What is asked of a server's task besides its wish.
#[derive(Debug)]
pub enum Order {
    /// Stop it and delete everything of it; answered when that is on disk.
    Remove {
        /// The generation of the removal.
        generation: u64,
        /// Answered when the wish is on disk.
        done: oneshot::Sender<Result<(), DbError>>,
    },
}

/// A server as others see it.
pub struct Server {
    /// Which.
    pub id: ServerId,
    /// Its own user.
    pub uid: u32,
    /// Its directories.
    pub layout: ServerLayout,
    wish: watch::Sender<Arc<DesiredServer>>,
    orders: mpsc::Sender<Order>,
    observed: watch::Sender<ObservedServer>,
    console: watch::Sender<Feed>,
    install: watch::Sender<Feed>,
    keeper: watch::Sender<Option<Keeper>>,
    /// Why its keeper is of an older build than it could be.
    older_build: Mutex<Option<String>>,
    series: Mutex<Series>,
    disk_bytes: AtomicU64,
}

/// The ends that belong to the task of the server.
pub struct TaskEnds {
    pub(crate) wish: watch::Receiver<Arc<DesiredServer>>,
    pub(crate) orders: mpsc::Receiver<Order>,
}

impl Server {
    /// A server, and what its task listens to.
    pub fn new(
        layout: ServerLayout,
        uid: u32,
        desired: DesiredServer,
        observed: ObservedServer,
    ) -> (Arc<Self>, TaskEnds) {
        let id = desired.server;
        let (wish, wish_end) = watch::channel(Arc::new(desired));
        let (orders, orders_end) = mpsc::channel(ORDERS);
        let server = Arc::new(Self {
            id,
            uid,
            layout,
            wish,
            orders,
            observed: watch::Sender::new(observed),
            console: watch::Sender::new(Feed::Pause),
            install: watch::Sender::new(Feed::Closed),
            keeper: watch::Sender::new(None),
            older_build: Mutex::default(),
            series: Mutex::default(),
            disk_bytes: AtomicU64::new(UNKNOWN),
        });
        (server, TaskEnds { wish: wish_end, orders: orders_end })
    }

    /// What it should be.
    pub fn desired(&self) -> Arc<DesiredServer> {
        Arc::clone(&self.wish.borrow())
    }

    /// Changes what it should be.
    pub(crate) fn wish(&self, desired: DesiredServer) {
        self.wish.send_replace(Arc::new(desired));
    }

    /// Asks its task; fails when the server is being removed already.
    pub(crate) async fn order(&self, order: Order) -> Result<(), DbError> {
        self.orders.send(order).await.map_err(|_| DbError::Closed)
    }

    /// What it does.
    pub fn observed(&self) -> ObservedServer {
        self.observed.borrow().clone()
    }

    pub(crate) fn observed_sender(&self) -> &watch::Sender<ObservedServer> {
        &self.observed
    }

    /// Where its console comes from.
    pub fn console(&self) -> &watch::Sender<Feed> {
        &self.console
    }

    /// Where the log of its installation comes from.
    pub fn install(&self) -> &watch::Sender<Feed> {
        &self.install
    }

    /// Its keeper, when it has one.
    pub fn keeper(&self) -> &watch::Sender<Option<Keeper>> {
        &self.keeper
    }

    /// Why its keeper is of an older build than it could be; `None` when it is not.
    pub fn older_build(&self) -> Option<String> {
        self.older_build.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_older_build(&self, why: Option<String>) {
        *self.older_build.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Adds a sample; returns a minute that is complete with it.
    pub(crate) fn add_sample(&self, sample: &Sample) -> Option<(u64, crate::stats::Packed)> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).push(sample)
    }

    /// The samples of the hour before `now`, oldest first.
    pub fn hour(&self, now: Timestamp) -> Vec<Sample> {
        let mut samples = self.series.lock().unwrap_or_else(PoisonError::into_inner).samples();
        // A clock that was set leaves samples of a time that is still to come, and two of the same second.
        samples.retain(|sample| sample.at <= now && now.since(sample.at) <= 3_600_000);
        samples.sort_by_key(|sample| sample.at);
        samples
    }

    /// The size of its directory, as far as measured.
    pub fn disk_bytes(&self) -> Option<u64> {
        let bytes = self.disk_bytes.load(Ordering::Relaxed);
        (bytes != UNKNOWN).then_some(bytes)
    }

    pub(crate) fn set_disk_bytes(&self, bytes: Option<u64>) {
        self.disk_bytes.store(bytes.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }
}
