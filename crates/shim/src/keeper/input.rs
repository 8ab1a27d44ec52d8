//! What is typed into the game: a bounded queue, and the keys of what was typed.

use std::{collections::VecDeque, rc::Rc};

use nodepanel_types::{limits::COMMAND_BYTES, wire::ConsoleMode};
use tokio::{
    io::AsyncWriteExt as _,
    net::unix::pipe,
    sync::{mpsc, oneshot},
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
    queue: Option<mpsc::Sender<Vec<u8>>>,
    line_end: u8,
    keys: VecDeque<(Rc<str>, u64)>,
}

/// Room in the queue, and the line that goes there.
pub(super) struct Slot<'a> {
    permit: mpsc::Permit<'a, Vec<u8>>,
    bytes: Vec<u8>,
}

impl Slot<'_> {
    pub(super) fn send(self) {
        self.permit.send(self.bytes);
    }
}

impl Input {
    /// For a game that is not there yet.
    pub(super) fn closed() -> Self {
        Self { queue: None, line_end: b'\n', keys: VecDeque::new() }
    }

    /// Takes the game's standard input. Ends with the game, or when the sender of `end` is dropped.
    pub(super) fn open(&mut self, mode: ConsoleMode, mut target: pipe::Sender, end: oneshot::Receiver<()>) {
        let (queue, mut lines) = mpsc::channel::<Vec<u8>>(WAITING);
        self.queue = Some(queue);
        // What the Enter key sends; a terminal in its usual mode makes a line feed of it.
        self.line_end = if mode == ConsoleMode::Pty { b'\r' } else { b'\n' };
        tokio::task::spawn_local(async move {
            let write = async {
                while let Some(line) = lines.recv().await {
                    // EPIPE: the game has closed its input, and is read on nevertheless.
                    if target.write_all(&line).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = write => {}
                _ = end => {}
            }
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
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(self.line_end);
        match queue.try_reserve() {
            Ok(permit) => Ok(Slot { permit, bytes }),
            Err(mpsc::error::TrySendError::Full(())) => {
                refuse(RefusalCode::InputFull, "The server does not read what is typed: its input is full.")
            }
            Err(mpsc::error::TrySendError::Closed(())) => {
                refuse(RefusalCode::NotRunning, "The server has closed its input: nothing can be typed into it.")
            }
        }
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
