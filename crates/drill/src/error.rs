//! Why a drill could not be carried out. A target that is missed is no error: it is a result.

use std::{io, path::PathBuf};

use nodepanel_supervise::{control::ControlError, process::ProcessError};

/// Why a drill could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The scratch installation could not be made or started.
    #[error("the scratch installation cannot be started: {reason}")]
    Scratch {
        /// Why, with what it said itself.
        reason: String,
    },
    /// A file of the scratch installation.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The installation does something that it should not before the drill has begun.
    #[error("{what}: the answer is {answer}")]
    Answer {
        /// What was asked.
        what: String,
        /// What came back.
        answer: String,
    },
    /// It spoils what belongs to the operator.
    #[error(
        "this drill spoils the configuration or the program, or takes everything away from its users, which it may not \
             do with a running installation; leave --running out"
    )]
    OnlyScratch,
    /// A part that the drill needs is not there.
    #[error("there is no {part}; `nodepanel status` shows what runs")]
    Missing {
        /// Its name.
        part: String,
    },
    /// This machine has not what it takes.
    #[error("this drill cannot be carried out here: {reason}")]
    Impossible {
        /// What is missing.
        reason: String,
    },
    /// There can be no disk of its own.
    #[error("a disk of its own cannot be mounted ({reason}); run this as root")]
    NoDisk {
        /// What the system said.
        reason: String,
    },
    /// It did not come about.
    #[error("waited {} s in vain for {what}", waited.as_secs())]
    Late {
        /// What.
        what: String,
        /// How long.
        waited: std::time::Duration,
    },
    /// The supervisor cannot be asked.
    #[error("the supervisor cannot be asked")]
    Control(#[from] ControlError),
    /// A process cannot be watched or signalled.
    #[error("a process cannot be watched or signalled; run this as the user who started NodePanel, or as root")]
    Process(#[from] ProcessError),
}
