//! The processes of one machine, and the runtime by which an agent starts and finds them. Processes outlive every agent;
//! an agent that is dead reaches none of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use nodepanel_agent::{ConsoleFrom, Recovered, RunEnd, RunOrder, RunPlace, RunState, Running, Runtime, RuntimeError};
use nodepanel_shim::{ClientError, protocol::RefusalCode};
use nodepanel_supervise::build::Print;
use nodepanel_types::{Millis, ServerId, clock::Clock as _, state::Exit};
use tokio::{sync::watch, time::timeout};

use crate::{
    life::Life,
    process::{Cause, Game, Ground, Keeper, Order},
};

/// How long a keeper's answer is waited for; see `nodepanel_shim`.
const ANSWER: Duration = Duration::from_secs(5);
/// The same for SIGKILL, after which the keeper is killed.
const KILL_ANSWER: Duration = Duration::from_secs(1);
/// How long a new keeper may take.
const START: Duration = Duration::from_secs(10);
/// Above every process id that Linux gives: what is measured of it is measured of nobody.
const FIRST_PID: u32 = 5_000_000;

/// All processes of one machine, and what became of each.
pub struct Processes {
    pub ground: Ground,
    /// The last run of each place.
    places: Mutex<BTreeMap<PathBuf, Arc<Game>>>,
    /// Every run there ever was.
    games: Mutex<Vec<Arc<Game>>>,
    /// How often each line was typed, by the key it was typed under.
    typed: Mutex<BTreeMap<String, u32>>,
    /// What must never happen, and did.
    broken: Mutex<Vec<String>>,
    pids: AtomicU32,
}

impl Processes {
    pub fn new(ground: Ground) -> Arc<Self> {
        Arc::new(Self {
            ground,
            places: Mutex::default(),
            games: Mutex::default(),
            typed: Mutex::default(),
            broken: Mutex::default(),
            pids: AtomicU32::new(FIRST_PID),
        })
    }

    /// Every run there ever was, in the order in which they were started.
    pub fn games(&self) -> Vec<Arc<Game>> {
        self.games.lock().unwrap().clone()
    }

    pub fn living(&self) -> Vec<Arc<Game>> {
        self.games.lock().unwrap().iter().filter(|game| game.lives()).cloned().collect()
    }

    /// Servers that have a process.
    pub fn running(&self) -> BTreeSet<ServerId> {
        self.living().iter().map(|game| game.server).collect()
    }

    pub fn typed(&self) -> BTreeMap<String, u32> {
        self.typed.lock().unwrap().clone()
    }

    pub fn broken(&self) -> Vec<String> {
        self.broken.lock().unwrap().clone()
    }

    /// Everything ends, and nobody takes note.
    pub fn reboot(&self) {
        for game in self.games() {
            game.keeper.send_replace(Keeper::Gone);
            game.meet(Cause::Reboot);
        }
    }

    fn at(&self, place: &RunPlace) -> Option<Arc<Game>> {
        self.places.lock().unwrap().get(&place.state_dir).cloned()
    }

    fn start(&self, place: &RunPlace) -> Arc<Game> {
        let mut games = self.games.lock().unwrap();
        let game = Game::start(place.server, self.pids.fetch_add(1, Ordering::Relaxed), &self.ground);
        if let Some(other) = games.iter().find(|other| other.server == place.server && other.lives()) {
            let two = format!("process {} of {} was started beside process {}", game.pid, place.server, other.pid);
            self.broken.lock().unwrap().push(two);
        }
        self.ground.teller.tell("games started", format_args!("{} (process {})", place.server, game.pid));
        games.push(Arc::clone(&game));
        self.places.lock().unwrap().insert(place.state_dir.clone(), Arc::clone(&game));
        game
    }
}

/// The runtime of one life of an agent.
pub struct Twin {
    pub processes: Arc<Processes>,
    pub life: Life,
}

impl Twin {
    /// What the agent does with its keepers takes time, and a dead agent does nothing.
    async fn go(&self, most_ms: usize) {
        self.life.pass().await;
        self.processes.ground.chance.pause(0, most_ms).await;
        self.life.pass().await;
    }

    fn attach(&self, game: Arc<Game>) -> Arc<dyn Running> {
        let mut shown = game.shown.subscribe();
        let (sender, state) = watch::channel(shown.borrow_and_update().clone());
        let follower = follow(Arc::clone(&game), shown, sender, self.processes.ground.clone());
        let life = self.life.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = life.end() => {}
                () = follower => {}
            }
        });
        Arc::new(Attached { game, state, life: self.life.clone(), processes: Arc::clone(&self.processes) })
    }
}

/// Hears what the keeper says a little later; when it is lost, ends what it left.
async fn follow(
    game: Arc<Game>,
    mut shown: watch::Receiver<RunState>,
    sender: watch::Sender<RunState>,
    ground: Ground,
) {
    loop {
        tokio::select! {
            biased;
            _ = shown.changed() => ground.chance.pause(0, 15).await,
            () = game.keeper_goes() => {
                ground.chance.pause(5, 500).await;
                let end = game.end().unwrap_or_else(|| {
                    game.meet(Cause::Orphaned);
                    let started_at = game.started_at();
                    RunEnd { started_at, exit: Exit::KeeperLost, asked: false, killed: false, at: ground.clock.now() }
                });
                while game.lives() {
                    ground.chance.pause(1, 5).await;
                }
                sender.send_replace(RunState::Ended(end));
                return;
            }
        }
        let state = shown.borrow_and_update().clone();
        let ended = matches!(state, RunState::Ended(_));
        sender.send_replace(state);
        if ended {
            return;
        }
    }
}

fn silent() -> RuntimeError {
    RuntimeError::Silent { source: ClientError::TimedOut }
}

/// Waits for the keeper.
async fn answer(game: &Game, within: Duration) -> Result<(), RuntimeError> {
    match timeout(within, game.keeper_moves()).await {
        Ok(()) if game.keeper_is(Keeper::Awake) => Ok(()),
        _ => Err(silent()),
    }
}

#[async_trait]
impl Runtime for Twin {
    async fn recover(&self, place: &RunPlace) -> Result<Recovered, RuntimeError> {
        self.go(10).await;
        let Some(game) = self.processes.at(place) else { return Ok(Recovered::Nothing) };
        if game.keeper_is(Keeper::Hung) {
            answer(&game, ANSWER).await?;
            self.life.pass().await;
        }
        if game.keeper_is(Keeper::Awake) {
            self.processes.ground.teller.tell("games taken up", format_args!("{} (process {})", game.server, game.pid));
            return Ok(Recovered::Running(self.attach(game)));
        }
        if let Some(end) = game.end() {
            return Ok(Recovered::Ended(end));
        }
        game.meet(Cause::Orphaned);
        while game.lives() {
            self.go(5).await;
        }
        Ok(Recovered::Lost)
    }

    async fn start(&self, order: RunOrder) -> Result<Arc<dyn Running>, RuntimeError> {
        self.go(40).await;
        let Ground { chance, calm, .. } = &self.processes.ground;
        if chance.once_in(40) && !calm.load(Ordering::Relaxed) {
            self.processes.ground.teller.tell("keepers not started", order.place.server);
            let source = std::io::Error::other("simulated");
            return Err(RuntimeError::Prepare { path: order.place.state_dir, source });
        }
        // From here on it is there, whether or not the agent lives to hear of it.
        let game = self.processes.start(&order.place);
        self.go(60).await;
        if let Err(error) = answer(&game, START).await {
            self.life.pass().await;
            game.keeper.send_replace(Keeper::Gone);
            game.meet(Cause::Orphaned);
            while game.lives() {
                self.go(5).await;
            }
            return Err(error);
        }
        self.life.pass().await;
        Ok(self.attach(game))
    }

    async fn forget(&self, place: &RunPlace) {
        self.go(5).await;
        if let Some(game) = self.processes.places.lock().unwrap().remove(&place.state_dir)
            && game.lives()
        {
            let text = format!("process {} of {} was forgotten while it ran", game.pid, game.server);
            self.processes.broken.lock().unwrap().push(text);
        }
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A run as one life of an agent has it.
struct Attached {
    game: Arc<Game>,
    state: watch::Receiver<RunState>,
    life: Life,
    processes: Arc<Processes>,
}

impl Attached {
    /// Reaches the keeper, or does not.
    async fn reach(&self, within: Duration) -> Result<(), RuntimeError> {
        self.life.pass().await;
        self.processes.ground.chance.pause(0, 10).await;
        let answer = answer(&self.game, within).await;
        self.life.pass().await;
        answer
    }
}

#[async_trait]
impl Running for Attached {
    fn state(&self) -> watch::Receiver<RunState> {
        self.state.clone()
    }

    fn keeper_pid(&self) -> u32 {
        self.game.pid
    }

    async fn stop(&self, timeout_ms: Millis) -> Result<(), RuntimeError> {
        self.reach(ANSWER).await?;
        self.game.ask(Order::Stop { timeout_ms });
        Ok(())
    }

    async fn kill(&self) -> Result<(), RuntimeError> {
        if self.reach(KILL_ANSWER).await.is_ok() {
            self.game.ask(Order::Kill);
        } else {
            self.game.asked.lock().unwrap().get_or_insert_with(tokio::time::Instant::now);
            self.game.keeper.send_replace(Keeper::Gone);
        }
        Ok(())
    }

    async fn command(&self, _line: &str, key: &str) -> Result<Option<u64>, RuntimeError> {
        self.reach(ANSWER).await?;
        if !self.game.lives() {
            let message = "The game does not run any more.".to_owned();
            return Err(RuntimeError::Refused { code: RefusalCode::NotRunning, message });
        }
        let line = {
            let mut typed = self.game.typed.lock().unwrap();
            let next = u64::try_from(typed.len()).unwrap() + 1;
            *typed.entry(key.to_owned()).or_insert_with(|| {
                *self.processes.typed.lock().unwrap().entry(key.to_owned()).or_insert(0) += 1;
                next
            })
        };
        self.reach(ANSWER).await?;
        Ok(Some(line))
    }

    async fn say(&self, _text: &str) -> Result<(), RuntimeError> {
        self.reach(ANSWER).await
    }

    async fn console(
        &self,
        _from: ConsoleFrom,
        _follow: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        Ok(stream::empty().boxed())
    }

    fn build(&self) -> Option<Print> {
        None
    }

    async fn renew(&self, _program: &Path, _build: Print) -> Result<Duration, RuntimeError> {
        Err(silent())
    }

    async fn release(&self) {
        if self.reach(ANSWER).await.is_ok() && !self.game.lives() {
            self.game.keeper.send_replace(Keeper::Gone);
        }
    }
}
