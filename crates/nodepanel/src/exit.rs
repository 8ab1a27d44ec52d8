//! Exit codes of the command line; `nodepanel --help` ends with them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed for a reason that was printed.
    Failed = 1,
    /// The command line is wrong (clap uses the same code).
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// Not allowed: no or wrong credentials, or a missing permission.
    Denied = 4,
    /// The state forbids it, or it exists already.
    Conflict = 5,
    /// The control plane or the node cannot be asked now; try again.
    Unavailable = 6,
    /// `doctor` found something that needs a person, or a drill missed a target.
    Findings = 7,
    /// Nobody reads the output any more: what the shell reports of a program that SIGPIPE ended.
    ClosedPipe = 141,
}

impl Exit {
    /// The table for `--help`.
    pub const TABLE: &str = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 not found, 4 not allowed, \
                             5 the state forbids it, 6 cannot be asked now, 7 doctor found something or a drill missed a \
                             target, 141 the reader of the output went away.";
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that knows its exit code.
#[derive(Debug)]
pub struct Refusal {
    /// The code.
    pub exit: Exit,
    /// What happened and what to do.
    pub message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
