//! How a process ended, in data and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a process ended. Its `Display` continues a sentence that begins with the process: "exited with code 3".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Ending {
    /// It returned by itself.
    Exited {
        /// 0 is success.
        code: i32,
    },
    /// A signal ended it.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// It was somebody else's child, who alone learns how it ended.
    Unknown,
}

impl Ending {
    /// Whether it returned by itself and said that all went well.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Killed { signal } => write!(f, "was killed by {}", signal_name(*signal)),
            Self::Unknown => f.write_str("ended; how is not known, because it was not started by this process"),
        }
    }
}

/// The usual name of a signal number on Linux.
pub(super) fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_read_as_the_end_of_a_sentence() {
        assert_eq!(Ending::Exited { code: 3 }.to_string(), "exited with code 3");
        assert_eq!(Ending::Killed { signal: 9 }.to_string(), "was killed by SIGKILL");
        assert_eq!(Ending::Killed { signal: 34 }.to_string(), "was killed by signal 34");
        assert!(Ending::Exited { code: 0 }.is_success());
        assert!(!Ending::Unknown.is_success());
    }
}
