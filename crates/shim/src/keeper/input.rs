//! What is typed into the game: a bounded queue, and the keys of what was typed.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use nodepanel_types::{limits::COMMAND_BYTES, wire::ConsoleMode};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncWriteExt as _,
    net::unix::pipe,
    sync::{Notify, oneshot},
};

use crate::protocol::{Refusal, RefusalCode};

/// Lines that may wait for a game that does not read.
const WAITING: usize = 64;
/// Keys that are remembered.
const KEYS: usize = 256;
/// The longest key.
const KEY_BYTES: usize = 256;

/// The way into the game.
pub(super) struct Input {
    queue: Option<Rc<Queue>>,
    line_end: char,
    keys: VecDeque<(Rc<str>, u64)>,
}

/// Lines on their way into the game.
#[derive(Default)]
struct Queue {
    typed: RefCell<Typed>,
    more: Notify,
    /// The game has closed its input.
    closed: Cell<bool>,
}

/// Lines that the game has not read yet, with their ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Typed {
    waiting: VecDeque<String>,
    /// The bytes of the first one that are written.
    written: usize,
}

/// What the next image needs of the way into the game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InputEstate {
    typed: Typed,
    /// The game has closed its input.
    closed: bool,
    keys: VecDeque<(Rc<str>, u64)>,
}

/// Room in the queue, and the line that goes there.
pub(super) struct Slot<'a> {
    queue: &'a Queue,
    line: String,
}

impl Slot<'_> {
    pub(super) fn send(self) {
        self.queue.typed.borrow_mut().waiting.push_back(self.line);
        self.queue.more.notify_one();
    }
}

impl Queue {
    /// Writes what waits until nobody reads it any more. What is written and what is counted never differ where this can
    /// be cut off.
    async fn write(&self, target: &mut pipe::Sender) {
        loop {
            let rest = self.typed.borrow().rest();
            if rest.is_empty() {
                self.more.notified().await;
                continue;
            }
            match target.write(&rest).await {
                Ok(count) => self.typed.borrow_mut().advance(count),
                // EPIPE: the game has closed its input, and is read on nevertheless.
                Err(_) => return,
            }
        }
    }
}

impl Typed {
    /// What is still to be written of the first line.
    fn rest(&self) -> Vec<u8> {
        self.waiting.front().and_then(|line| line.as_bytes().get(self.written..)).unwrap_or_default().to_vec()
    }

    fn advance(&mut self, count: usize) {
        self.written += count;
        if self.waiting.front().is_some_and(|line| self.written >= line.len()) {
            self.waiting.pop_front();
            self.written = 0;
        }
    }
}

impl Input {
    /// For a game that is not there yet.
    pub(super) fn closed() -> Self {
        Self { queue: None, line_end: '\n', keys: VecDeque::new() }
    }

    /// Takes the game's standard input. Ends with the game, or when the sender of `end` is dropped.
    pub(super) fn open(&mut self, mode: ConsoleMode, target: pipe::Sender, end: oneshot::Receiver<()>) {
        self.begin(mode, Rc::default(), target, end);
    }

    /// Goes on as the image before this one left it.
    pub(super) fn resume(
        &mut self,
        mode: ConsoleMode,
        estate: InputEstate,
        target: pipe::Sender,
        end: oneshot::Receiver<()>,
    ) {
        let InputEstate { typed, closed, keys } = estate;
        self.keys = keys;
        let queue = Queue { typed: RefCell::new(typed), closed: Cell::new(closed), more: Notify::new() };
        self.begin(mode, Rc::new(queue), target, end);
    }

    /// What the next image goes on with; `None` before there is a game.
    pub(super) fn estate(&self) -> Option<InputEstate> {
        let queue = self.queue.as_ref()?;
        let typed = queue.typed.borrow().clone();
        Some(InputEstate { typed, closed: queue.closed.get(), keys: self.keys.clone() })
    }

    fn begin(&mut self, mode: ConsoleMode, queue: Rc<Queue>, mut target: pipe::Sender, mut end: oneshot::Receiver<()>) {
        self.queue = Some(Rc::clone(&queue));
        // What the Enter key sends; a terminal in its usual mode makes a line feed of it.
        self.line_end = if mode == ConsoleMode::Pty { '\r' } else { '\n' };
        tokio::task::spawn_local(async move {
            if !queue.closed.get() {
                tokio::select! {
                    () = queue.write(&mut target) => {}
                    _ = &mut end => {}
                }
            }
            queue.closed.set(true);
        });
    }

    /// Finds room for a line, without typing it yet.
    pub(super) fn reserve(&self, line: &str) -> Result<Slot<'_>, Refusal> {
        let refuse = |code, message: &str| Err(Refusal { code, message: message.to_owned() });
        if line.len() > COMMAND_BYTES {
            return refuse(RefusalCode::Invalid, "The line is too long: 2,048 bytes at most.");
        }
        if line.chars().any(|character| character.is_control() && character != '\t') {
            return refuse(RefusalCode::Invalid, "The line contains a control character, for example a line end.");
        }
        let Some(queue) = &self.queue else {
            return refuse(RefusalCode::NotRunning, "The server is not up yet: nothing can be typed into it.");
        };
        if queue.closed.get() {
            return refuse(RefusalCode::NotRunning, "The server has closed its input: nothing can be typed into it.");
        }
        if queue.typed.borrow().waiting.len() >= WAITING {
            return refuse(RefusalCode::InputFull, "The server does not read what is typed: its input is full.");
        }
        Ok(Slot { queue, line: format!("{line}{}", self.line_end) })
    }

    /// The number of the line that was typed under this key.
    pub(super) fn typed_before(&self, key: &str) -> Option<u64> {
        self.keys.iter().rev().find(|(known, _)| **known == *key).map(|(_, line)| *line)
    }

    pub(super) fn remember(&mut self, key: &str, line: u64) {
        if self.keys.len() >= KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back((key.into(), line));
    }

    /// Whether a key is short enough to be remembered.
    pub(super) fn is_key(key: &str) -> bool {
        !key.is_empty() && key.len() <= KEY_BYTES
    }
}
