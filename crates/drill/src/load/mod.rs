//! What goes on while a drill breaks things: users who read and write, open consoles, and open panels.
//!
//! 200 operations a second, half of them writes under idempotency keys; 50 consoles; two event streams. Operations are
//! due at fixed instants, whether or not the one before has been answered in time, so that an outage cannot hide the
//! operations that it kept from being asked.

mod cast;
mod console;
mod panel;
mod worker;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;
use nodepanel_types::ServerId;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use self::{cast::Cast, console::Viewer, worker::Worker};
use crate::{
    check::{self, Fault},
    error::DrillError,
    history::{Action, Counts, History, Operation, Outcome, Tries},
    http::{Access, Connection, Request, Try},
    scene::PATIENCE,
};

pub(crate) use cast::{GAME, Made, ask, make, read};
pub use cast::{Game, ServerSeen, mark};

/// Users at work; each asks ten times a second.
const WORKERS: u32 = 20;
/// What each of them asks for in a second.
const RATE: u32 = 10;
/// Game servers.
const GAMES: usize = 5;
/// Open consoles of each.
const VIEWERS: usize = 10;
/// How long one try of a line that is pressed on may take, and the pause before the next.
const PRESS_PATIENCE: Duration = Duration::from_millis(500);
const PRESS_PAUSE: Duration = Duration::from_millis(5);
/// Open panels.
const PANELS: usize = 2;

/// What every task of the load shares.
#[derive(Debug)]
struct Floor {
    begun: Instant,
    ended: AtomicBool,
    history: Mutex<History>,
}

impl Floor {
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn record(&self, operation: Operation) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).record(operation);
    }

    /// Since the load began.
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// A running load.
pub struct Load {
    cast: Cast,
    floor: Arc<Floor>,
    workers: JoinSet<()>,
    viewers: JoinSet<Viewed>,
    panels: JoinSet<Vec<Fault>>,
}

/// What one console saw.
struct Viewed {
    server: ServerId,
    reader: String,
    numbers: check::Numbers,
    faults: Vec<Fault>,
}

/// What came of a load; nothing, where there was none.
#[derive(Debug, Default)]
pub struct Judgement {
    /// The operations in numbers.
    pub counts: Counts,
    /// Promises that were broken.
    pub faults: Vec<Fault>,
}

impl Load {
    /// Makes its own user, template and game servers, and begins.
    pub async fn begin(access: &Access) -> Result<Self, DrillError> {
        let cast = Cast::gather(access, GAMES).await?;
        let floor = Arc::new(Floor {
            begun: Instant::now(),
            ended: AtomicBool::new(false),
            history: Mutex::new(History::default()),
        });
        let mut load = Self { cast, floor, workers: JoinSet::new(), viewers: JoinSet::new(), panels: JoinSet::new() };
        for number in 0..WORKERS {
            if let Some(worker) = Worker::new(number, &load.cast, Arc::clone(&load.floor)) {
                load.workers.spawn(worker.work());
            }
        }
        for game in load.cast.games() {
            for number in 0..VIEWERS {
                let reader = format!("console {number} of {}", game.name);
                let viewer = Viewer::new(load.cast.access().clone(), game.id, reader, Arc::clone(&load.floor));
                load.viewers.spawn(viewer.watch());
            }
        }
        for _ in 0..PANELS {
            load.panels.spawn(panel::watch(load.cast.access().clone(), Arc::clone(&load.floor)));
        }
        Ok(load)
    }

    /// The game servers of the load.
    pub fn games(&self) -> &[Game] {
        self.cast.games()
    }

    /// The way to the API of the load's own user, an administrator.
    pub fn access(&self) -> &Access {
        self.cast.access()
    }

    /// Waits until a game runs, as the API sees it.
    pub async fn running(&self, game: &Game) -> Result<ServerSeen, DrillError> {
        self.cast.running(game.id).await
    }

    /// Types a line into a game, trying again at once until it is taken: as soon as it can be led, it is. The line is
    /// judged like all others.
    pub async fn press(&self, game: &Game) -> Result<(), DrillError> {
        let line = cast::mark();
        let path = format!("/api/v1/servers/{}/command", game.id);
        let request = Request::keyed(Method::POST, path, &json!({"line": line}), cast::mark());
        let mut connection = Connection::new(self.access().clone());
        let (begun, started) = (self.floor.now(), Instant::now());
        let mut tries = Tries::default();
        let mut last = String::new();
        let mut outcome = None;
        while outcome.is_none() && started.elapsed() < PATIENCE {
            tries.made += 1;
            match connection.attempt(&request, PRESS_PATIENCE).await {
                Try::Answered(answer) if answer.status == 200 => outcome = Some(Outcome::Ok),
                other => {
                    tries.refused += u32::from(matches!(other, Try::Refused));
                    last = format!("{other:?}");
                    sleep(PRESS_PAUSE).await;
                }
            }
        }
        let outcome = outcome.unwrap_or_else(|| Outcome::Unknown { why: last.clone() });
        let done = outcome == Outcome::Ok;
        let action = Action::Type { server: game.id, line };
        self.floor.record(Operation { action, begun, ended: self.floor.now(), outcome, tries });
        if done { Ok(()) } else { Err(DrillError::Answer { what: format!("typing into {}", game.name), answer: last }) }
    }

    /// Ends it, judges it, and takes away what it made.
    pub async fn end(mut self) -> Result<Judgement, DrillError> {
        self.floor.ended.store(true, Ordering::Relaxed);
        while self.workers.join_next().await.is_some() {}
        let judged = self.judge().await;
        let swept = self.cast.sweep().await;
        let judgement = judged?;
        swept?;
        Ok(judgement)
    }

    async fn judge(&mut self) -> Result<Judgement, DrillError> {
        let history = std::mem::take(&mut *self.floor.history.lock().unwrap_or_else(PoisonError::into_inner));
        let mut faults = check::users(&history);
        faults.extend(check::keys(&history, &self.cast.keys().await?));
        let mut ends = Vec::new();
        for game in self.cast.games() {
            faults.extend(check::names(&history, game.id, &game.name, &self.cast.name_of(game.id).await?));
            let console = self.cast.console_of(game.id).await?;
            faults.extend(check::lines(&history, game.id, &console.typed));
            faults.extend(console.faults);
            ends.push((game.id, console.last));
        }
        for viewed in self.viewed().await {
            faults.extend(viewed.faults);
            let end = ends.iter().find(|(server, _)| *server == viewed.server).map_or(0, |(_, last)| *last);
            faults.extend(viewed.numbers.judge(&viewed.reader, end));
        }
        while let Some(panel) = self.panels.join_next().await {
            faults.extend(panel.unwrap_or_default());
        }
        Ok(Judgement { counts: history.counts(), faults })
    }

    /// What the consoles saw, after they had time to read to the end.
    async fn viewed(&mut self) -> Vec<Viewed> {
        let mut all = Vec::new();
        let begun = Instant::now();
        while let Some(viewed) = self.viewers.join_next().await {
            all.extend(viewed);
            if begun.elapsed() > PATIENCE {
                break;
            }
        }
        all
    }
}

/// Waits until a connection is worth trying again.
async fn pause() {
    sleep(Duration::from_millis(50)).await;
}
