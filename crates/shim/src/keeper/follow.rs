//! Console lines for one reader, from any number on, for as long as it likes.
//!
//! Lines come from memory, or from the log where they are in memory no more. A reader that has once caught up and
//! then falls too far behind is told what it misses and taken to the newest lines; it can ask for the missing ones
//! afterwards.

use std::rc::Rc;

use nodepanel_types::{
    limits::CONSOLE_RING_LINES,
    wire::{
        ConsoleFrame,
        console::{Extent, Gap, GapCause},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

use super::desk::Desk;
use crate::{
    console::{ConsoleRead, PIECE_BYTES},
    protocol::ConsoleFrom,
};

/// A live reader that is further behind than this is taken to the newest lines.
const LAG_LINES: u64 = 4 * CONSOLE_RING_LINES as u64;
/// With how many of them it begins then.
const NEWEST_LINES: u64 = CONSOLE_RING_LINES as u64 / 10;

/// The number of the last line that a reader has, from what it asks for.
pub(super) fn begin(from: ConsoleFrom, extent: Extent) -> u64 {
    let last = extent.next.saturating_sub(1);
    match from {
        // Whoever is ahead of us has seen lines that a broken machine lost.
        ConsoleFrom::After(after) => after.min(last),
        ConsoleFrom::Tail(lines) => last.saturating_sub(lines).max(extent.first.saturating_sub(1)),
    }
}

/// Sends lines after number `after` until the reader or the shim goes, or, without `follow`, until there is no more.
pub(super) async fn stream(
    desk: &Rc<Desk>,
    after: u64,
    follow: bool,
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
) {
    let mut published = desk.console.borrow().subscribe();
    let mut leaving = desk.leaving.subscribe();
    let mut follower = Follower { next: after + 1, caught_up: false, out: Vec::new() };
    follower.frame(&ConsoleFrame::At { at: desk.console.borrow().extent() });
    loop {
        published.mark_unchanged();
        let more = follower.collect(desk);
        if !follower.out.is_empty() {
            if writer.write_all(&follower.out).await.is_err() {
                return;
            }
            follower.rest();
        }
        if more {
            continue;
        }
        if !follow || *leaving.borrow() {
            let _ = writer.shutdown().await;
            return;
        }
        let mut ignored = [0; 64];
        tokio::select! {
            _ = published.changed() => {}
            // The last lines may have come together with the farewell: they are collected once more.
            _ = leaving.wait_for(|leaving| *leaving) => {}
            // A reader says nothing: what comes is its end.
            read = reader.read(&mut ignored) => if !matches!(read, Ok(length) if length > 0) { return },
        }
    }
}

struct Follower {
    next: u64,
    caught_up: bool,
    out: Vec<u8>,
}

impl Follower {
    /// Collects what is to be sent next; `false` when the reader has everything.
    fn collect(&mut self, desk: &Desk) -> bool {
        let console = desk.console.borrow();
        match console.read(self.next, &mut self.out) {
            ConsoleRead::Lines { next } => {
                self.next = next;
                true
            }
            ConsoleRead::Nothing if self.caught_up => false,
            ConsoleRead::Nothing => {
                self.caught_up = true;
                self.frame(&ConsoleFrame::At { at: console.extent() });
                false
            }
            ConsoleRead::Behind { oldest } => {
                let newest = console.published();
                if self.caught_up && newest - self.next > LAG_LINES {
                    self.gap(oldest.max(newest.saturating_sub(NEWEST_LINES)), GapCause::SlowReader);
                    return true;
                }
                match console.log().slice_after(self.next - 1, PIECE_BYTES) {
                    Ok(Some(slice)) if slice.first == self.next => {
                        self.next = slice.last + 1;
                        self.out.extend_from_slice(&slice.ndjson);
                    }
                    Ok(Some(slice)) => self.gap(slice.first.min(oldest), GapCause::Rotated),
                    Ok(None) | Err(_) => self.gap(oldest, GapCause::Rotated),
                }
                true
            }
        }
    }

    fn gap(&mut self, resume: u64, why: GapCause) {
        if resume > self.next {
            self.frame(&ConsoleFrame::Gap { gap: Gap { from: self.next, to: resume - 1, why } });
            self.next = resume;
        }
    }

    fn frame(&mut self, frame: &ConsoleFrame) {
        if let Ok(text) = serde_json::to_vec(frame) {
            self.out.extend_from_slice(&text);
            self.out.push(b'\n');
        }
    }

    /// Empties the buffer, and gives its memory back when the reader has nothing to wait for it.
    fn rest(&mut self) {
        self.out.clear();
        if self.caught_up {
            self.out.shrink_to(4096);
        }
    }
}
