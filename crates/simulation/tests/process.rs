//! A game's process and its keeper, without the process: it takes time to start, to be ready and to stop, crashes, and
//! does not know whether there is an agent. Its keeper may hang or be killed; then the game goes on until somebody ends
//! what a lost keeper left.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nodepanel_agent::{RunEnd, RunState};
use nodepanel_types::{
    Millis, ServerId, Timestamp,
    clock::Clock as _,
    state::{Exit, Run},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    chance::{Chance, SkewedClock},
    story::Teller,
};

/// What the keeper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    Awake,
    /// It does not answer, and takes note of nothing.
    Hung,
    Gone,
}

/// What makes a game end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Itself.
    Crash,
    /// Its keeper, which was asked to.
    Asked,
    /// What a lost keeper left was ended.
    Orphaned,
    /// The whole machine.
    Reboot,
}

/// What reaches the game.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    Stop { timeout_ms: Millis },
    Kill,
    Fate(Cause),
}

/// What simulated processes need.
#[derive(Clone)]
pub struct Ground {
    pub chance: Chance,
    pub teller: Teller,
    pub clock: Arc<SkewedClock>,
    /// No game crashes by itself any more.
    pub calm: Arc<AtomicBool>,
}

pub struct Game {
    pub server: ServerId,
    pub pid: u32,
    pub born: Instant,
    pub keeper: watch::Sender<Keeper>,
    /// What the keeper knows of it.
    pub shown: watch::Sender<RunState>,
    /// When it ended, and what made it.
    pub over: Mutex<Option<(Instant, Cause)>>,
    /// When an agent first asked that it ends.
    pub asked: Mutex<Option<Instant>>,
    /// Lines that were typed, by their keys: this is what the keeper knows them by.
    pub typed: Mutex<BTreeMap<String, u64>>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Game {
    pub fn start(server: ServerId, pid: u32, ground: &Ground) -> Arc<Self> {
        let (orders, receiver) = mpsc::unbounded_channel();
        let shown = RunState::Alive { run: None, ready_at: None, sign_seen: true, notes: Vec::new() };
        let game = Arc::new(Self {
            server,
            pid,
            born: Instant::now(),
            keeper: watch::Sender::new(Keeper::Awake),
            shown: watch::Sender::new(shown),
            over: Mutex::default(),
            asked: Mutex::default(),
            typed: Mutex::default(),
            orders,
        });
        tokio::spawn(live(Arc::clone(&game), receiver, ground.clone()));
        game
    }

    pub fn lives(&self) -> bool {
        self.over.lock().unwrap().is_none()
    }

    pub fn keeper_is(&self, keeper: Keeper) -> bool {
        *self.keeper.borrow() == keeper
    }

    pub fn set_keeper(&self, from: Keeper, to: Keeper) {
        self.keeper.send_if_modified(|keeper| {
            let moves = *keeper == from;
            if moves {
                *keeper = to;
            }
            moves
        });
    }

    pub fn end(&self) -> Option<RunEnd> {
        match &*self.shown.borrow() {
            RunState::Ended(end) => Some(end.clone()),
            RunState::Alive { .. } => None,
        }
    }

    /// An agent asks for its end.
    pub fn ask(&self, order: Order) {
        if self.lives() {
            self.asked.lock().unwrap().get_or_insert_with(Instant::now);
        }
        let _ = self.orders.send(order);
    }

    /// Something else makes it end, at once.
    pub fn meet(&self, fate: Cause) {
        let _ = self.orders.send(Order::Fate(fate));
    }

    /// The keeper answers again, or never will.
    pub async fn keeper_moves(&self) {
        let mut keeper = self.keeper.subscribe();
        let _ = keeper.wait_for(|keeper| *keeper != Keeper::Hung).await;
    }

    /// The keeper is gone.
    pub async fn keeper_goes(&self) {
        let mut keeper = self.keeper.subscribe();
        let _ = keeper.wait_for(|keeper| *keeper == Keeper::Gone).await;
    }

    pub fn started_at(&self) -> Option<Timestamp> {
        match &*self.shown.borrow() {
            RunState::Alive { run, .. } => run.map(|run| run.started_at),
            RunState::Ended(end) => end.started_at,
        }
    }

    async fn show(&self, state: RunState) {
        self.keeper_moves().await;
        if self.keeper_is(Keeper::Awake) {
            self.shown.send_replace(state);
        }
    }
}

/// From the start to the end, whoever looks.
async fn live(game: Arc<Game>, mut orders: mpsc::UnboundedReceiver<Order>, ground: Ground) {
    let chance = &ground.chance;
    let run = Run { pid: game.pid, started_at: ground.clock.now() };
    let alive = |ready_at| RunState::Alive { run: Some(run), ready_at, sign_seen: true, notes: Vec::new() };
    game.shown.send_replace(alive(None));
    let now = Instant::now();
    let ready = now + chance.millis(5, 400);
    let crash = chance.once_in(2).then(|| now + chance.millis(50, 9_000));
    let far = now + Duration::from_secs(100_000);
    let (mut is_ready, mut stop): (bool, Option<(Instant, bool)>) = (false, None);
    let (cause, killed) = loop {
        let crash = crash.filter(|_| !ground.calm.load(Ordering::Relaxed)).unwrap_or(far);
        tokio::select! {
            Some(order) = orders.recv() => match order {
                Order::Stop { timeout_ms } if stop.is_none() => {
                    // Now and then one that does not stop when it is asked.
                    let within = chance.millis(5, 300);
                    let limit = Duration::from_millis(timeout_ms);
                    let takes = if chance.once_in(25) { limit } else { within.min(limit) };
                    stop = Some((Instant::now() + takes, takes == limit));
                    game.show(alive(None)).await;
                }
                Order::Stop { .. } => {}
                Order::Kill => break (Cause::Asked, true),
                Order::Fate(cause) => break (cause, false),
            },
            () = tokio::time::sleep_until(stop.map_or(far, |(at, _)| at)), if stop.is_some() => {
                break (Cause::Asked, stop.is_some_and(|(_, killed)| killed));
            }
            () = tokio::time::sleep_until(ready), if !is_ready && stop.is_none() => {
                is_ready = true;
                // The sign is seen when somebody looks; the game does not wait for that.
                if game.keeper_is(Keeper::Awake) {
                    game.show(alive(Some(ground.clock.now()))).await;
                } else {
                    is_ready = game.keeper_is(Keeper::Gone);
                    chance.pause(20, 60).await;
                }
            }
            () = tokio::time::sleep_until(crash) => {
                if !ground.calm.load(Ordering::Relaxed) {
                    break (Cause::Crash, false);
                }
            }
        }
    };
    *game.over.lock().unwrap() = Some((Instant::now(), cause));
    ground.teller.tell(
        if cause == Cause::Crash { "games crashed" } else { "games ended" },
        format_args!("{} (process {}): {cause:?}", game.server, game.pid),
    );
    if matches!(cause, Cause::Orphaned | Cause::Reboot) {
        return;
    }
    let exit = match (cause, killed) {
        (Cause::Crash, _) => Exit::Code { code: 3 },
        (_, true) => Exit::Signal { signal: 9 },
        (_, false) => Exit::Code { code: 0 },
    };
    let asked = cause == Cause::Asked;
    let end = RunEnd { started_at: Some(run.started_at), exit, asked, killed, at: ground.clock.now() };
    game.show(RunState::Ended(end)).await;
}
