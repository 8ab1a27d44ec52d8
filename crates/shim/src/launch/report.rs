//! What a process that is to become a game tells its shim: one JSON object a line, then the end of the pipe.

use std::{fs::File, io::Write as _, os::fd::OwnedFd};

use serde::{Deserialize, Serialize};

/// A message. The end of the pipe after [`ReportMessage::Ready`] means that the game's own program runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub(crate) enum ReportMessage {
    /// Everything is prepared; the program is being run.
    Ready {
        /// What is weaker than it could be, each a sentence.
        notes: Vec<String>,
    },
    /// It came to nothing.
    Failed {
        /// Why, as a sentence without its full stop.
        message: String,
    },
}

/// The game's end of the pipe; closed by the kernel when the program is run.
#[derive(Debug)]
pub(crate) struct Report(File);

impl Report {
    pub(crate) fn new(pipe: OwnedFd) -> Self {
        Self(File::from(pipe))
    }

    /// Whether the shim is there to read it.
    pub(crate) fn send(&self, message: &ReportMessage) -> bool {
        let Ok(mut line) = serde_json::to_vec(message) else { return false };
        line.push(b'\n');
        (&self.0).write_all(&line).is_ok()
    }
}
