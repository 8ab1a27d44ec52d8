//! Console lines, numbered once by the shim and passed on unchanged to the browser.
//!
//! A stream of frames is NDJSON: one frame a line, several lines a message where that saves work. Numbers of a
//! server grow by one from line to line for the whole life of the server, across restarts of the game, of the
//! shim and of the machine. A reader that holds line `n` asks for what comes after `n`; lines that are no longer
//! to be had are announced as a gap, never skipped in silence.

use serde::{Deserialize, Serialize};

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// The game's output.
    Out,
    /// A command that somebody typed.
    In,
    /// NodePanel's own words, for example "Started." or "Stopped as asked.".
    Sys,
}

/// One line: `{"n":17,"t":1795334400120,"k":"out","s":"Server listening"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLine {
    /// The line's number; the first line of a server is 1.
    pub n: u64,
    /// When the shim read it, in milliseconds since the Unix epoch.
    pub t: i64,
    /// Where it comes from.
    pub k: LineKind,
    /// The text without its line end, in UTF-8 (invalid bytes replaced), with its ANSI colour codes; other
    /// control characters than TAB and ESC are already removed. At most `limits::CONSOLE_LINE_BYTES`.
    pub s: String,
}

/// One element of a console stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConsoleFrame {
    /// A line.
    Line(ConsoleLine),
    /// `{"gap":{"from":5,"to":90,"why":"slow_reader"}}`: these lines exist no more or were too many to send.
    Gap {
        /// What is missing.
        gap: Gap,
    },
    /// `{"at":{"first":1,"next":91}}`: sent first, and again when a reader has caught up for the first time.
    At {
        /// What there is.
        at: Extent,
    },
}

/// Lines that a reader does not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first missing number.
    pub from: u64,
    /// The last missing number.
    pub to: u64,
    /// Why.
    pub why: GapCause,
}

/// Why lines are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The reader was slower than the game; the lines are in the log on disk.
    SlowReader,
    /// The log was rotated; the lines are gone.
    Rotated,
}

/// The lines that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The oldest number that can still be read; equal to `next` when there is none.
    pub first: u64,
    /// The number that the next line will get.
    pub next: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_published_form() {
        let line = ConsoleFrame::Line(ConsoleLine { n: 17, t: 5, k: LineKind::Out, s: "hi".to_owned() });
        assert_eq!(serde_json::to_string(&line).unwrap(), r#"{"n":17,"t":5,"k":"out","s":"hi"}"#);
        let gap: ConsoleFrame = serde_json::from_str(r#"{"gap":{"from":5,"to":90,"why":"slow_reader"}}"#).unwrap();
        assert_eq!(gap, ConsoleFrame::Gap { gap: Gap { from: 5, to: 90, why: GapCause::SlowReader } });
        let at: ConsoleFrame = serde_json::from_str(r#"{"at":{"first":1,"next":91}}"#).unwrap();
        assert_eq!(at, ConsoleFrame::At { at: Extent { first: 1, next: 91 } });
    }
}
