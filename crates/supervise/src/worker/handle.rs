//! What the rest of a worker holds: says how it is, hears what is wanted of it, asks about the others.

use std::{env, io, path::PathBuf, time::Duration};

use nodepanel_types::{
    WorkerId,
    component::{Component, Renewal},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    RUN_DIR, WORKER_NAME,
    client::{Client, Question},
};
use crate::{
    run_dir::RunDir,
    sockets::Sockets,
    wire::protocol::{Condition, FromSupervisor, Recovery, ToSupervisor, with_keeper},
};

/// How long the supervisor may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Questions that may wait for the connection.
const QUESTIONS: usize = 64;

/// What a worker says about itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Its name in the plan; `NODEPANEL_WORKER` goes before it.
    pub name: String,
    /// Names this run of it.
    pub worker_id: WorkerId,
    /// The version of its binary.
    pub version: String,
}

/// How a worker is, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    Preparing,
    Ready,
    NotReady(String),
}

/// All that a worker announces, again to every new supervisor.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    pub(super) readiness: Readiness,
    pub(super) children: Vec<Component>,
    pub(super) servers_stopped: bool,
}

/// What the supervisor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orders {
    pub(super) drain: bool,
    pub(super) stop_servers: bool,
}

/// Why a question to the supervisor has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// This process was started by hand.
    #[error("this process has no supervisor")]
    Unsupervised,
    /// The supervisor is away; it comes back.
    #[error("the supervisor does not answer now")]
    Away,
}

/// A worker's connection to its supervisor. Cheap to clone; the connection ends with the last clone.
///
/// Without a supervisor everything works the same and reaches nobody.
#[derive(Debug, Clone)]
pub struct Worker {
    announcement: watch::Sender<Announcement>,
    orders: watch::Receiver<Orders>,
    api_servers: watch::Receiver<Option<Vec<Condition>>>,
    questions: mpsc::Sender<Question>,
    supervised: bool,
}

impl Worker {
    /// Connects to the supervisor that started this process; works alone where none did.
    ///
    /// Spawns the task that keeps the connection and sends the heartbeat, so it must be called on the runtime
    /// whose turning is the sign of life. The sockets are copied, to hand them to a new supervisor.
    pub fn from_env(about: About, sockets: &Sockets) -> io::Result<Self> {
        let name = env::var(WORKER_NAME).unwrap_or_else(|_| about.name.clone());
        let run_dir = env::var_os(RUN_DIR).map(PathBuf::from);
        Self::connect(About { name, ..about }, run_dir, sockets)
    }

    /// Connects to the supervisor of a run directory; works alone when that is `None`.
    pub fn connect(about: About, run_dir: Option<PathBuf>, sockets: &Sockets) -> io::Result<Self> {
        let nothing = Announcement { readiness: Readiness::Preparing, children: Vec::new(), servers_stopped: false };
        let (announcement, announced) = watch::channel(nothing);
        let (ordered, orders) = watch::channel(Orders::default());
        let (heard, api_servers) = watch::channel(None);
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let supervised = run_dir.is_some();
        if let Some(path) = run_dir {
            let (run_dir, sockets) = (RunDir::open(path)?, sockets.try_clone()?);
            let client = Client::new(about, run_dir, sockets, announced, ordered, heard, asked);
            tokio::spawn(client.run());
        } else {
            // Nobody orders anything; the sender lives as long as somebody could wait for it.
            let mut announced = announced;
            tokio::spawn(async move {
                while announced.changed().await.is_ok() {}
                drop((ordered, heard));
            });
        }
        Ok(Self { announcement, orders, api_servers, questions, supervised })
    }

    /// Whether a supervisor started this process.
    pub const fn is_supervised(&self) -> bool {
        self.supervised
    }

    /// Says that the worker does its work.
    pub fn ready(&self) {
        self.announcement.send_modify(|announcement| announcement.readiness = Readiness::Ready);
    }

    /// Says that the worker runs but cannot do its work, and why, as a sentence.
    pub fn not_ready(&self, reason: impl Into<String>) {
        let readiness = Readiness::NotReady(reason.into());
        self.announcement.send_if_modified(|announcement| {
            let changed = announcement.readiness != readiness;
            announcement.readiness = readiness;
            changed
        });
    }

    /// Says how the processes are that the worker keeps itself.
    pub fn report_children(&self, children: Vec<Component>) {
        self.announcement.send_if_modified(|announcement| {
            let changed = announcement.children != children;
            announcement.children = children;
            changed
        });
    }

    /// Says that the game servers are stopped, after `stop_servers_asked`.
    pub fn servers_stopped(&self) {
        self.announcement.send_modify(|announcement| announcement.servers_stopped = true);
    }

    /// Waits until the worker is asked to finish what it has and end. Never, without a supervisor.
    pub async fn drain_asked(&self) {
        self.ordered(|orders| orders.drain).await;
    }

    /// Waits until the agent is asked to stop all game servers. Never, without a supervisor.
    pub async fn stop_servers_asked(&self) {
        self.ordered(|orders| orders.stop_servers).await;
    }

    async fn ordered(&self, order: impl Fn(&Orders) -> bool) {
        let mut orders = self.orders.clone();
        if orders.wait_for(|orders| order(orders)).await.is_err() {
            // The task that hears the supervisor is gone only with the runtime.
            std::future::pending::<()>().await;
        }
    }

    /// How the API servers of this host are, as the supervisor says it whenever that changes; `None` before its first
    /// word. While it is away its last word stays.
    pub fn api_servers(&self) -> watch::Receiver<Option<Vec<Condition>>> {
        self.api_servers.clone()
    }

    /// The state of every component of this host, and how their proofs are renewed.
    pub async fn status(&self) -> Result<(Vec<Component>, Option<Renewal>), AskError> {
        match self.ask(ToSupervisor::Status).await? {
            FromSupervisor::Status { components, keeper, renewal } => {
                Ok((with_keeper(components, keeper), renewal.map(|renewal| *renewal)))
            }
            _ => Err(AskError::Away),
        }
    }

    /// The newest recoveries, at most `limit`, oldest first.
    pub async fn recoveries(&self, limit: usize) -> Result<Vec<Recovery>, AskError> {
        match self.ask(ToSupervisor::Recoveries { limit }).await? {
            FromSupervisor::Recoveries { recoveries } => Ok(recoveries),
            _ => Err(AskError::Away),
        }
    }

    async fn ask(&self, message: ToSupervisor) -> Result<FromSupervisor, AskError> {
        if !self.supervised {
            return Err(AskError::Unsupervised);
        }
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { message, answer }).map_err(|_| AskError::Away)?;
        timeout(ANSWER, answered).await.map_err(|_| AskError::Away)?.map_err(|_| AskError::Away)
    }
}
