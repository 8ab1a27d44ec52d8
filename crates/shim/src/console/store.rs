//! Numbering, keeping and publishing lines.
//!
//! Lines are staged with [`Console::push`] and published together by [`Console::commit`]: first to the kernel for
//! the log, then to readers. When the disk refuses, lines are published from memory, a line says so, and what the
//! ring still holds is written once the disk takes it again.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use nodepanel_types::{
    clock::Clock,
    wire::{ConsoleLine, LineKind, console::Extent},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

use super::ring::Ring;
use crate::{
    log::{LogError, LogReader, LogWriter},
    spec::LogSpec,
};

/// How long after a failure the log is tried again.
const LOG_RETRY: Duration = Duration::from_secs(1);
/// Lines are given to readers and to the log in pieces of about this size.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// The console.
pub(crate) struct Console {
    clock: Arc<dyn Clock>,
    ring: Ring,
    /// The oldest number that could be read when the console was opened.
    first: u64,
    /// The number that the next line gets.
    next: u64,
    log: LogState,
    reader: LogReader,
    /// The number that the next line to be logged has.
    logged: u64,
    /// The number after the last line that readers may see.
    published: watch::Sender<u64>,
    /// Wakes whoever tries the log again.
    trouble: Rc<Notify>,
    record: Vec<u8>,
}

/// The numbers of a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// The oldest number that could be read when the console was opened.
    first: u64,
    /// The number that the next line gets.
    pub(crate) next: u64,
}

enum LogState {
    Writing(LogWriter),
    Failing { writer: LogWriter, retry_at: Instant, why: String },
    Closed,
}

/// What a reader gets when it asks for what comes after a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ConsoleRead {
    /// Nothing yet.
    Nothing,
    /// Lines were added to its buffer; the next one to ask for is `next`.
    Lines {
        /// The number after the last.
        next: u64,
    },
    /// The line is in memory no more; the oldest that is has this number.
    Behind {
        /// The oldest number in memory.
        oldest: u64,
    },
}

impl Console {
    /// Opens the console: numbers go on after those in the log, at least with `first_line`.
    pub(crate) fn open(spec: &LogSpec, first_line: u64, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let writer = LogWriter::open(spec, first_line)?;
        let reader = LogReader::new(&spec.dir);
        let next = writer.next();
        let first = reader
            .extent()
            .map_err(|source| LogError::Io { dir: spec.dir.clone(), verb: "opened", source })
            .map(|extent| if extent.first == extent.next { next } else { extent.first })?;
        Ok(Self {
            clock,
            ring: Ring::default(),
            first,
            next,
            log: LogState::Writing(writer),
            reader,
            logged: next,
            published: watch::Sender::new(next),
            trouble: Rc::new(Notify::new()),
            record: Vec::new(),
        })
    }

    /// Goes on as the image before this one left it. What that had in memory is in the log.
    pub(crate) fn resume(spec: &LogSpec, numbers: Numbers, writer: LogWriter, clock: Arc<dyn Clock>) -> Self {
        let Numbers { first, next } = numbers;
        Self {
            clock,
            ring: Ring::default(),
            first,
            next,
            log: LogState::Writing(writer),
            reader: LogReader::new(&spec.dir),
            logged: next,
            published: watch::Sender::new(next),
            trouble: Rc::new(Notify::new()),
            record: Vec::new(),
        }
    }

    /// What the next image goes on with; `None` while there are lines that are nowhere but in memory.
    pub(crate) fn parts(&self) -> Option<(Numbers, &LogWriter)> {
        let whole = self.logged == self.next && *self.published.borrow() == self.next;
        match &self.log {
            LogState::Writing(writer) if whole => Some((Numbers { first: self.first, next: self.next }, writer)),
            _ => None,
        }
    }

    /// Makes the numbers that are given out from now on safe from the machine's going down. Blocks for the disk.
    pub(crate) fn secure(&mut self) {
        if let LogState::Writing(writer) | LogState::Failing { writer, .. } = &mut self.log {
            writer.secure();
        }
    }

    /// Stages a line and returns its number. `text` must be clean (see [`super::LineCutter`]).
    pub(crate) fn push(&mut self, kind: LineKind, text: String) -> u64 {
        let n = self.next;
        let line = ConsoleLine { n, t: self.clock.now().as_millis(), k: kind, s: text };
        self.record.clear();
        // Writing JSON into memory fails for no line: it has no map with odd keys and no writer that could refuse.
        if serde_json::to_writer(&mut self.record, &line).is_ok() {
            self.record.push(b'\n');
            self.ring.push(n, &self.record);
            self.next += 1;
        }
        n
    }

    /// Publishes what has been staged.
    pub(crate) fn commit(&mut self) {
        if *self.published.borrow() == self.next {
            return;
        }
        self.write_log();
        self.published.send_replace(self.next);
    }

    /// Stages and publishes one line.
    pub(crate) fn say(&mut self, kind: LineKind, text: String) -> u64 {
        let n = self.push(kind, text);
        self.commit();
        n
    }

    /// Tells of published lines: the number after the last.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// The number after the last line that readers may see.
    pub(crate) fn published(&self) -> u64 {
        *self.published.borrow()
    }

    /// What can be read, in memory or on disk.
    pub(crate) fn extent(&self) -> Extent {
        let next = *self.published.borrow();
        let on_disk = self.reader.extent().ok().filter(|extent| extent.first < extent.next);
        let in_memory = self.ring.first().unwrap_or(next);
        let first = on_disk.map_or(in_memory, |extent| extent.first.min(in_memory));
        Extent { first: first.max(self.first.min(next)).min(next), next }
    }

    /// Adds the lines from number `from` on that are in memory to `out`.
    pub(crate) fn read(&self, from: u64, out: &mut Vec<u8>) -> ConsoleRead {
        let published = *self.published.borrow();
        if from >= published {
            return ConsoleRead::Nothing;
        }
        match self.ring.read(from, published, PIECE_BYTES, out) {
            Some(slice) => ConsoleRead::Lines { next: slice.next },
            None => ConsoleRead::Behind { oldest: self.ring.first().unwrap_or(published) },
        }
    }

    /// The log, for lines that are in memory no more.
    pub(crate) fn log(&self) -> &LogReader {
        &self.reader
    }

    /// Why the log is not being written, if it is not.
    pub(crate) fn log_trouble(&self) -> Option<&str> {
        match &self.log {
            LogState::Failing { why, .. } => Some(why),
            LogState::Writing(_) | LogState::Closed => None,
        }
    }

    /// Tries the log again whenever it has failed, also when no further line comes. Never ends.
    pub(crate) async fn keep_trying(console: &RefCell<Self>) {
        let trouble = Rc::clone(&console.borrow().trouble);
        loop {
            trouble.notified().await;
            loop {
                let retry_at = match &console.borrow().log {
                    LogState::Failing { retry_at, .. } => *retry_at,
                    LogState::Writing(_) | LogState::Closed => break,
                };
                sleep_until(retry_at).await;
                let mut console = console.borrow_mut();
                console.write_log();
                console.published.send_replace(console.next);
            }
        }
    }

    /// Syncs and closes the log.
    pub(crate) fn close(&mut self) -> std::io::Result<()> {
        self.commit();
        match std::mem::replace(&mut self.log, LogState::Closed) {
            LogState::Writing(writer) | LogState::Failing { writer, .. } => writer.close(),
            LogState::Closed => Ok(()),
        }
    }

    fn write_log(&mut self) {
        let (mut writer, failed_before) = match std::mem::replace(&mut self.log, LogState::Closed) {
            LogState::Writing(writer) => (writer, false),
            LogState::Failing { writer, retry_at, why } if retry_at > Instant::now() => {
                self.log = LogState::Failing { writer, retry_at, why };
                return;
            }
            LogState::Failing { writer, .. } => (writer, true),
            LogState::Closed => return,
        };
        let missing_from = self.logged;
        match self.catch_up(&mut writer) {
            Ok(lost) => {
                self.log = LogState::Writing(writer);
                if failed_before {
                    let what = match lost {
                        0 => "no line is missing in it".to_owned(),
                        _ => format!("lines {missing_from} to {} are missing in it", missing_from + lost - 1),
                    };
                    self.push(LineKind::Sys, format!("The console log is written again; {what}."));
                    self.write_log();
                }
            }
            Err(error) => {
                let why = match std::error::Error::source(&error) {
                    Some(cause) => format!("{error}: {cause}"),
                    None => error.to_string(),
                };
                if !failed_before {
                    let line = format!("{why}. The newest lines are kept in memory until it can be written again.");
                    self.push(LineKind::Sys, capitalised(line));
                }
                self.log = LogState::Failing { writer, retry_at: Instant::now() + LOG_RETRY, why };
                self.trouble.notify_one();
            }
        }
    }

    /// Writes what is not in the log yet; returns how many lines were in memory no more.
    fn catch_up(&mut self, writer: &mut LogWriter) -> Result<u64, LogError> {
        let oldest = self.ring.first().unwrap_or(self.next);
        let lost = oldest.saturating_sub(self.logged);
        self.logged = self.logged.max(oldest);
        let mut piece = Vec::new();
        while let Some(slice) = self.ring.read(self.logged, self.next, PIECE_BYTES, &mut piece) {
            writer.append(self.logged, slice.next, &piece)?;
            self.logged = slice.next;
            piece.clear();
        }
        Ok(lost)
    }
}

fn capitalised(mut text: String) -> String {
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
