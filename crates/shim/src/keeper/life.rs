//! The life of the game's processes, from the start to the exit file.
//!
//! ```text
//!  start ──▶ Starting ──▶ Running ──▶ Stopping ──▶ main process ended ──▶ nothing left ──▶ Exited ──▶ the shim goes
//!                │            └── crash, kill ────────────▲     │              ▲
//!                └── crash, kill, not started ────────────┘     └─ what it left behind: SIGTERM in a
//!                                                                  soft stop, SIGKILL otherwise
//! ```
//!
//! Every wait in here ends by a deadline of its own. A kill always wins: it needs no answer from the game and can be
//! asked for in every state.

mod renewal;

use std::{
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use nodepanel_supervise::process::Identity;
use nodepanel_types::{
    Millis, Timestamp,
    state::{Exit, Run},
    wire::{Ready, StopWay},
};
use regex::RegexBuilder;
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};
use tokio::{
    net::unix::pipe,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Signals,
    desk::{Desk, Order},
    estate::{Descriptors, Estate, Name},
    output,
    start::{begin_to_join, reported, spawn},
    terminal::Terminal,
};
use renewal::{Streams, Trial, verdict};

use crate::{
    game::{OomWatch, Tree, is_listening},
    place,
    protocol::{Ended, ShimState},
    spec::Subject,
};

/// How often what is being killed is killed again, until it is gone.
const KILL_ROUND: Duration = Duration::from_millis(20);
/// How often the game's port is looked for while it starts.
const PORT_ROUND: Duration = Duration::from_millis(200);
/// How long the last output may take to be read once every process is gone.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often the exit file is tried again on a disk that refuses it.
const EXIT_ROUND: Duration = Duration::from_secs(1);
/// The most memory that a ready pattern may compile to, in bytes.
const PATTERN_BYTES: usize = 1024 * 1024;

/// Sees a game through that was begun, and stays until its end is known.
pub(super) async fn live(
    desk: &Rc<Desk>,
    begun: io::Result<Life<'_>>,
    mut signals: Signals,
    mut orders: mpsc::Receiver<Order>,
) {
    let ended = match begun {
        Ok(mut life) => {
            life.run(&mut signals, &mut orders).await;
            life.end().await
        }
        Err(error) => {
            let exit = Exit::SpawnFailed { message: error.to_string() };
            Ended { run: None, exit, at: desk.now(), asked: false, killed: false, ready_at: None }
        }
    };
    let done = ended.exit == (Exit::Code { code: 0 });
    match desk.spec.subject {
        Subject::Step if done => {}
        subject => {
            desk.say(&format!("The {} {}.", subject.as_str(), ended.exit.describe()));
        }
    }
    publish(desk, ended, &mut signals, &mut orders).await;
}

/// Puts the exit on the disk, shows it, and waits to be released.
async fn publish(desk: &Desk, ended: Ended, signals: &mut Signals, orders: &mut mpsc::Receiver<Order>) {
    let mut written = place::write_exit(&desk.spec.state_dir, &ended);
    desk.state.send_replace(ShimState::Exited(ended.clone()));
    let leave_at = Instant::now() + Duration::from_millis(desk.spec.linger_ms);
    loop {
        // An exit that is on no disk is told for as long as it takes.
        let wake_at = if written.is_ok() { leave_at } else { Instant::now() + EXIT_ROUND };
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Acknowledge) | None => return,
                // Its sender goes on when the answer is dropped.
                Some(Order::Stop { .. } | Order::Kill { .. } | Order::Renew(_)) => {}
            },
            _ = signals.terminate.recv() => return,
            () = sleep_until(wake_at) => match written {
                Ok(()) => return,
                Err(_) => written = place::write_exit(&desk.spec.state_dir, &ended),
            },
        }
    }
}

/// A game and what its end depends on.
pub(super) struct Life<'a> {
    desk: &'a Rc<Desk>,
    spec_path: PathBuf,
    tree: Tree,
    oom: OomWatch,
    streams: Streams,
    /// Another build that may be gone on as.
    trial: Option<Trial>,
    run: Run,
    /// The report of the process that becomes the game, until it has come.
    launching: Option<JoinHandle<Result<Vec<String>, String>>>,
    launched: bool,
    failure: Option<String>,
    output: JoinHandle<()>,
    _input_end: oneshot::Sender<()>,
    ready_at: Option<Timestamp>,
    ready_deadline: Instant,
    stop: Stop,
    main: Main,
}

/// How far the game is on its way out.
enum Stop {
    /// Nobody wants it to end.
    No,
    /// It was asked to.
    Soft { kill_at: Instant },
    /// It is being killed.
    Hard,
}

/// The game's first process.
enum Main {
    Runs,
    Ended { status: WaitStatus, at: Timestamp, asked: bool, killed: bool },
}

impl<'a> Life<'a> {
    /// Starts the game.
    pub(super) fn start(desk: &'a Rc<Desk>, spec_path: &Path, tree: Tree) -> io::Result<Self> {
        let spec = &desk.spec;
        let oom = OomWatch::new(&spec.cgroups);
        if spec.subject == Subject::Server {
            desk.say("Starting the server.");
        }
        let terminal = Terminal::open(spec.console, spec.user)?;
        let streams = Streams {
            typed: terminal.typed.as_fd().try_clone_to_owned()?,
            written: terminal.written.as_fd().try_clone_to_owned()?,
        };
        let (pid, report) = spawn(spec_path, terminal.stdin, terminal.stdout)?;
        let run = Run { pid, started_at: desk.now() };
        // The process is on its way; what it does not need is done meanwhile. It waits for nothing of this, and
        // nobody has seen a line yet.
        begin_to_join(&spec.cgroups, pid);
        desk.console.borrow_mut().secure();
        watch_for_ready_line(desk);
        desk.keeper.borrow_mut().game = Identity::read(pid).ok().flatten();
        if let Err(error) = place::write_keeper(&spec.state_dir, &desk.keeper.borrow()) {
            desk.note(format!("The identity of the game could not be recorded ({error})."));
        }
        let (input_end, end) = oneshot::channel();
        desk.input.borrow_mut().open(spec.console, terminal.typed, end);
        Ok(Self {
            desk,
            spec_path: spec_path.to_owned(),
            tree,
            oom,
            streams,
            trial: None,
            run,
            launching: Some(watch_launch(report)),
            launched: false,
            failure: None,
            output: tokio::task::spawn_local(output::pump(Rc::clone(desk), terminal.written)),
            _input_end: input_end,
            ready_at: None,
            ready_deadline: Instant::now() + Duration::from_millis(spec.ready_timeout_ms),
            stop: Stop::No,
            main: Main::Runs,
        })
    }

    /// Goes on with a game that the image before this one kept.
    pub(super) fn resume(
        desk: &'a Rc<Desk>,
        spec_path: &Path,
        tree: Tree,
        estate: Estate,
        descriptors: &mut Descriptors,
    ) -> io::Result<Self> {
        let spec = &desk.spec;
        let streams = Streams { typed: descriptors.take(Name::Typed)?, written: descriptors.take(Name::Written)? };
        // They are what they were, also where that is a terminal, and do not block: that goes with them.
        let typed = pipe::Sender::from_owned_fd_unchecked(streams.typed.try_clone()?)?;
        let written = pipe::Receiver::from_owned_fd_unchecked(streams.written.try_clone()?)?;
        if estate.ready_at.is_none() {
            watch_for_ready_line(desk);
        }
        for note in estate.notes {
            desk.note(note);
        }
        desk.cutter.replace(estate.cutter);
        desk.state.send_replace(estate.state);
        let (input_end, end) = oneshot::channel();
        desk.input.borrow_mut().resume(spec.console, estate.input, typed, end);
        Ok(Self {
            desk,
            spec_path: spec_path.to_owned(),
            tree,
            oom: OomWatch::resume(&spec.cgroups, estate.oom_kills),
            streams,
            trial: None,
            run: estate.run,
            launching: None,
            launched: true,
            failure: None,
            output: tokio::task::spawn_local(output::pump(Rc::clone(desk), written)),
            _input_end: input_end,
            ready_at: estate.ready_at,
            ready_deadline: Instant::now() + Duration::from_millis(estate.ready_left_ms),
            stop: Stop::No,
            main: Main::Runs,
        })
    }

    /// Until no process of the game is left.
    async fn run(&mut self, signals: &mut Signals, orders: &mut mpsc::Receiver<Order>) {
        let mut port_at = Instant::now();
        // It may have ended while one image gave it to the other: nobody says so again.
        if !self.collect() {
            return;
        }
        loop {
            let wake_at = self.next_wake(port_at);
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(Order::Kill { done }) => {
                        self.kill("Killed, as asked.");
                        let _ = done.send(());
                    }
                    Some(Order::Stop { timeout_ms, done }) => {
                        self.ask_to_stop(timeout_ms);
                        let _ = done.send(());
                    }
                    Some(Order::Renew(renewal)) => self.consider(renewal),
                    Some(Order::Acknowledge) | None => {}
                },
                _ = signals.child.recv() => {}
                // The machine goes down, most likely: the game gets its chance to save.
                _ = signals.terminate.recv() => self.ask_to_stop(None),
                report = outcome(&mut self.launching) => {
                    self.launching = None;
                    self.begun(report);
                }
                () = self.desk.ready_seen.notified() => self.ready(true),
                verdict = verdict(&mut self.trial) => self.decide(verdict, signals, orders).await,
                () = sleep_until(wake_at) => {}
            }
            if !self.collect() {
                return;
            }
            let now = Instant::now();
            match self.stop {
                Stop::Soft { kill_at } if now >= kill_at => {
                    self.kill("It did not stop in the time it had, and is killed.");
                }
                Stop::Hard => self.tree.kill(),
                Stop::Soft { .. } | Stop::No => {}
            }
            if self.awaits_ready() {
                if now >= port_at && self.desk.spec.ready == Ready::Port {
                    port_at = now + PORT_ROUND;
                    if self.desk.spec.endpoints.first().is_some_and(|port| is_listening(port, &Tree::pids())) {
                        self.ready(true);
                    }
                }
                if now >= self.ready_deadline {
                    self.ready(false);
                }
            }
        }
    }

    fn awaits_ready(&self) -> bool {
        self.launched && self.ready_at.is_none() && matches!(self.stop, Stop::No) && matches!(self.main, Main::Runs)
    }

    /// When something is to be done although nothing happens.
    fn next_wake(&self, port_at: Instant) -> Instant {
        let mut wake_at = Instant::now() + Duration::from_secs(3600);
        let mut by = |instant| wake_at = wake_at.min(instant);
        match self.stop {
            Stop::Soft { kill_at } => by(kill_at),
            Stop::Hard => by(Instant::now() + KILL_ROUND),
            Stop::No => {}
        }
        if self.awaits_ready() {
            by(self.ready_deadline);
            if self.desk.spec.ready == Ready::Port {
                by(port_at);
            }
        }
        wake_at
    }

    /// The game's own program runs, or never will.
    fn begun(&mut self, report: Result<Vec<String>, String>) {
        match report {
            Ok(notes) => {
                self.launched = true;
                for note in notes {
                    self.desk.note(note);
                }
                if matches!(self.stop, Stop::No) {
                    self.desk.state.send_replace(ShimState::Starting { run: Some(self.run) });
                    if self.desk.spec.ready == Ready::Spawned {
                        self.ready(true);
                    }
                }
            }
            Err(message) => {
                self.failure = Some(message);
                self.stop = Stop::Hard;
                self.tree.kill();
            }
        }
    }

    fn ready(&mut self, sign_seen: bool) {
        if !self.awaits_ready() {
            return;
        }
        let ready_at = self.desk.now();
        self.ready_at = Some(ready_at);
        *self.desk.ready_line.borrow_mut() = None;
        if !sign_seen {
            let note = format!(
                "The server did not say that it is ready within {} s; it is taken for running.",
                self.desk.spec.ready_timeout_ms / 1_000
            );
            self.desk.say(&note);
            self.desk.note(note);
        } else if self.desk.spec.ready != Ready::Spawned {
            let took = ready_at.since(self.run.started_at);
            self.desk.say(&format!("Ready after {}.{} s.", took / 1_000, took % 1_000 / 100));
        }
        self.desk.state.send_replace(ShimState::Running { run: self.run, ready_at, sign_seen });
    }

    /// Asks softly; a repetition can only bring the end forward.
    fn ask_to_stop(&mut self, timeout_ms: Option<Millis>) {
        let time = timeout_ms.unwrap_or(self.desk.spec.stop_timeout_ms);
        let mut kill_at = Instant::now() + Duration::from_millis(time);
        let mut kill_time = self.desk.now().plus(time);
        match &self.stop {
            Stop::Hard => return,
            Stop::Soft { kill_at: before } if *before <= kill_at => return,
            Stop::Soft { .. } => {}
            Stop::No => {
                self.desk
                    .say(&format!("Asked to stop; it is killed if that takes more than {} s.", time.div_ceil(1_000)));
                if !self.ask() {
                    kill_at = Instant::now();
                    kill_time = self.desk.now();
                }
            }
        }
        self.stop = Stop::Soft { kill_at };
        self.desk.state.send_replace(ShimState::Stopping { run: self.run, kill_at: kill_time });
    }

    /// Asks in the way that the template knows; `false` when there is no game yet that could be asked.
    fn ask(&self) -> bool {
        if !self.launched {
            return false;
        }
        match &self.desk.spec.stop {
            StopWay::Command { line } => {
                if let Err(refusal) = self.desk.type_line(line, None) {
                    self.desk.say(&format!("The stop command could not be typed: {refusal} SIGTERM is sent instead."));
                    self.signal_group(Signal::TERM);
                }
            }
            StopWay::Signal { signal } => {
                if let Some(signal) = Signal::from_named_raw(*signal) {
                    self.signal_group(signal);
                } else {
                    self.desk.say(&format!("There is no signal {signal}; SIGTERM is sent instead."));
                    self.signal_group(Signal::TERM);
                }
            }
        }
        true
    }

    /// A signal to the game's process group, which a wrapper script shares with what it runs.
    fn signal_group(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.run.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }

    fn kill(&mut self, why: &str) {
        if !matches!(self.stop, Stop::Hard) {
            self.desk.say(why);
        }
        self.stop = Stop::Hard;
        self.tree.kill();
        self.desk.state.send_replace(ShimState::Stopping { run: self.run, kill_at: self.desk.now() });
    }

    /// Collects what has ended; `false` when nothing is left.
    fn collect(&mut self) -> bool {
        let (pid, desk) = (self.run.pid, self.desk);
        let (asked, killed) = match self.stop {
            Stop::No => (false, false),
            Stop::Soft { .. } => (true, false),
            Stop::Hard => (self.failure.is_none(), true),
        };
        let main = &mut self.main;
        let mut just_ended = false;
        let left = Tree::reap(|ended, status| {
            if ended == pid && matches!(main, Main::Runs) {
                *main = Main::Ended { status, at: desk.now(), asked, killed };
                just_ended = true;
            }
        });
        if left && just_ended {
            match self.stop {
                // The server is over; what it left behind would only be in the way of the next start.
                Stop::No => {
                    self.stop = Stop::Hard;
                    self.tree.kill();
                }
                // It may still be saving: it is asked too, and has the time that was promised.
                Stop::Soft { .. } => Tree::signal(Signal::TERM),
                Stop::Hard => {}
            }
        }
        left
    }

    /// What there is to say of it, once no process is left.
    async fn end(mut self) -> Ended {
        if timeout(LAST_WORDS, &mut self.output).await.is_err() {
            self.output.abort();
        }
        if self.launching.is_some() && self.failure.is_none() {
            // The report was on its way when the process ended.
            if let Ok(Err(message)) = timeout(LAST_WORDS, outcome(&mut self.launching)).await {
                self.failure = Some(message);
            }
        }
        let (exit, at, asked, killed) = match self.main {
            Main::Ended { status, at, asked, killed } => (exit_of(status), at, asked, killed),
            // Somebody else collected it: nobody does.
            Main::Runs => (Exit::Unknown, self.desk.now(), false, false),
        };
        if let Some(message) = self.failure {
            let exit = Exit::SpawnFailed { message };
            return Ended { run: None, exit, at, asked: false, killed: false, ready_at: None };
        }
        // A wrapper ends with a code of its own when the kernel has killed what it ran.
        let exit = match (exit, self.oom.limit_if_killed()) {
            (exit @ Exit::Code { code: 0 }, _) | (exit, None) => exit,
            (exit, Some(_)) if killed => exit,
            (_, Some(limit_bytes)) => Exit::OutOfMemory { limit_bytes },
        };
        Ended { run: Some(self.run), exit, at, asked, killed, ready_at: self.ready_at }
    }
}

/// Looks for the line by which the game says that it is ready, when that is its sign.
fn watch_for_ready_line(desk: &Desk) {
    let Ready::Line { pattern } = &desk.spec.ready else { return };
    match RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES / 4).build() {
        Ok(pattern) => *desk.ready_line.borrow_mut() = Some(pattern),
        Err(error) => desk.note(format!(
            "The pattern of the ready line cannot be used ({error}): the server counts as running when its time to get \
             ready is up."
        )),
    }
}

fn watch_launch(report: pipe::Receiver) -> JoinHandle<Result<Vec<String>, String>> {
    tokio::task::spawn_local(reported(report))
}

/// What the report says; never, when there is none to wait for.
async fn outcome(launching: &mut Option<JoinHandle<Result<Vec<String>, String>>>) -> Result<Vec<String>, String> {
    match launching {
        Some(report) => report.await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code { code },
        (None, Some(signal)) => Exit::Signal { signal },
        (None, None) => Exit::Unknown,
    }
}
