//! What the tasks of a shim share.

use std::{
    cell::{Cell, RefCell},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
};

use nodepanel_supervise::build::Print;
use nodepanel_types::{Millis, Timestamp, clock::Clock, wire::LineKind};
use regex::Regex;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::input::Input;
use crate::{
    console::{Console, LineCutter},
    place::{Keeper, Lock},
    protocol::{Refusal, RefusalCode, ShimState, ShimStatus, Typed},
    spec::ShimSpec,
};

/// The program that this process runs, also when its file has been replaced since.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// What a client wants done to the game's processes.
pub(super) enum Order {
    /// Ask it to stop.
    Stop {
        /// The time it gets, if not that of the spec.
        timeout_ms: Option<Millis>,
        /// Told when the state has changed.
        done: oneshot::Sender<()>,
    },
    /// Kill it.
    Kill {
        /// Told when the state has changed.
        done: oneshot::Sender<()>,
    },
    /// Go on as another build.
    Renew(Renewal),
    /// Its exit is recorded elsewhere.
    Acknowledge,
}

/// A client's wish that the shim go on as another build.
pub(super) struct Renewal {
    /// The program of that build.
    pub(super) program: PathBuf,
    /// Which build it must be.
    pub(super) build: Print,
    /// The client, to be answered by that build.
    pub(super) client: OwnedFd,
    /// The number of its request.
    pub(super) id: u64,
    /// Told when it came to nothing.
    pub(super) refused: oneshot::Sender<Refusal>,
}

/// The shared state. Borrows never last over an await.
pub(super) struct Desk {
    pub(super) spec: ShimSpec,
    pub(super) token: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) console: RefCell<Console>,
    pub(super) input: RefCell<Input>,
    pub(super) state: watch::Sender<ShimState>,
    pub(super) orders: mpsc::Sender<Order>,
    /// The sign in the game's output that it is ready, until it was seen.
    pub(super) ready_line: RefCell<Option<Regex>>,
    pub(super) ready_seen: Notify,
    pub(super) leaving: watch::Sender<bool>,
    pub(super) keeper: RefCell<Keeper>,
    pub(super) lock: Lock,
    /// What the game wrote of a line whose end has not come.
    pub(super) cutter: RefCell<LineCutter>,
    /// A copy of the socket on which clients come in, for the next image.
    pub(super) listener: RefCell<Option<OwnedFd>>,
    /// Which build this is.
    pub(super) build: Option<Print>,
    notes: RefCell<Vec<String>>,
    sessions: Cell<usize>,
}

impl Desk {
    pub(super) fn new(
        spec: ShimSpec,
        token: String,
        console: Console,
        clock: Arc<dyn Clock>,
        keeper: Keeper,
        lock: Lock,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        Self {
            spec,
            token,
            clock,
            console: RefCell::new(console),
            input: RefCell::new(Input::closed()),
            state: watch::Sender::new(ShimState::Starting { run: None }),
            orders,
            ready_line: RefCell::new(None),
            ready_seen: Notify::new(),
            leaving: watch::Sender::new(false),
            keeper: RefCell::new(keeper),
            lock,
            cutter: RefCell::new(LineCutter::new()),
            listener: RefCell::new(None),
            build: Print::of(OWN_PROGRAM.as_ref()).ok(),
            notes: RefCell::new(Vec::new()),
            sessions: Cell::new(0),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A line of our own in the console; returns its number.
    pub(super) fn say(&self, text: &str) -> u64 {
        // Cleaned like the game's own: a client's words are no more to be trusted.
        let mut cutter = LineCutter::new();
        let mut console = self.console.borrow_mut();
        let mut last = 0;
        cutter.feed(text.as_bytes(), &mut |line| last = console.push(LineKind::Sys, line));
        cutter.flush(&mut |line| last = console.push(LineKind::Sys, line));
        console.commit();
        last
    }

    /// Adds a sentence to what is not as good as it could be.
    pub(super) fn note(&self, note: String) {
        self.notes.borrow_mut().push(note);
    }

    pub(super) fn status(&self) -> ShimStatus {
        let console = self.console.borrow();
        let mut notes = self.notes.borrow().clone();
        notes.extend(console.log_trouble().map(|why| format!("{why}.")));
        ShimStatus { server: self.spec.server, state: self.state.borrow().clone(), console: console.extent(), notes }
    }

    /// Types a line into the game, with its echo in the console.
    pub(super) fn type_line(&self, line: &str, key: Option<&str>) -> Result<Typed, Refusal> {
        let mut input = self.input.borrow_mut();
        if let Some(line) = key.and_then(|key| input.typed_before(key)) {
            return Ok(Typed { line: Some(line) });
        }
        if matches!(*self.state.borrow(), ShimState::Exited(_)) {
            let message = "The server does not run: nothing can be typed into it. Start it first.".to_owned();
            return Err(Refusal { code: RefusalCode::NotRunning, message });
        }
        let slot = input.reserve(line)?;
        let n = self.console.borrow_mut().say(LineKind::In, line.to_owned());
        slot.send();
        if let Some(key) = key {
            input.remember(key, n);
        }
        Ok(Typed { line: Some(n) })
    }

    /// What is not as good as it could be.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }

    /// Tells everybody that the shim goes.
    pub(super) fn leave(&self) {
        self.listener.take();
        self.leaving.send_replace(true);
    }

    /// Counts a session in; `None` when there are too many.
    pub(super) fn enter(self: &std::rc::Rc<Self>, limit: usize) -> Option<Entered> {
        if self.sessions.get() >= limit {
            return None;
        }
        self.sessions.set(self.sessions.get() + 1);
        Some(Entered(std::rc::Rc::clone(self)))
    }
}

/// A session that is counted.
pub(super) struct Entered(std::rc::Rc<Desk>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.sessions.set(self.0.sessions.get().saturating_sub(1));
    }
}
