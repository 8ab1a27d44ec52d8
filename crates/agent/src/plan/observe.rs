//! What the plan decides from.

use nodepanel_types::{
    Millis, Timestamp,
    state::{CrashPolicy, Exit, PowerIntent, Run},
    wire::DesiredServer,
};

use super::Progress;

/// The part of the wish that the plan depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// What the owner asked for last.
    pub power: PowerIntent,
    /// What should be installed.
    pub install_serial: u64,
    /// How crashes are answered.
    pub crash: CrashPolicy,
    /// How long a soft stop may take.
    pub stop_timeout_ms: Millis,
}

impl From<&DesiredServer> for Wanted {
    fn from(desired: &DesiredServer) -> Self {
        Self {
            power: desired.power,
            install_serial: desired.install_serial,
            crash: desired.crash,
            stop_timeout_ms: desired.launch.stop_timeout_ms,
        }
    }
}

/// What is so: the process of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// There is none, and none is unaccounted for.
    Absent,
    /// It is being started.
    Spawning,
    /// It is there.
    Alive {
        /// Which run; see `RunRecord::number`.
        number: u64,
        /// Its process.
        run: Run,
        /// When it was ready.
        ready_at: Option<Timestamp>,
    },
    /// It has ended, and nobody has taken note of that yet.
    Ended {
        /// Which run.
        number: u64,
        /// When its process was spawned, if it was.
        started_at: Option<Timestamp>,
        /// How.
        exit: Exit,
        /// Whether its keeper had been asked to stop or kill it.
        asked: bool,
        /// Whether it took SIGKILL.
        killed: bool,
        /// When.
        at: Timestamp,
    },
}

/// What is so: the installation of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installing {
    /// None runs.
    No,
    /// One runs.
    Yes {
        /// What it does, in words.
        step: String,
        /// 0 to 100.
        percent: u8,
        /// It has been told to end.
        ending: bool,
    },
}

/// Everything that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The wish.
    pub wanted: &'a Wanted,
    /// What was carried out.
    pub progress: &'a Progress,
    /// The process.
    pub process: &'a Process,
    /// The installation.
    pub installing: &'a Installing,
    /// The server's turn after a boot of the machine; it is not started before.
    pub turn_at: Option<Timestamp>,
    /// Nothing is to run for now, whatever is wished: the node's servers are stopped together.
    pub suspended: bool,
    /// The present instant.
    pub now: Timestamp,
}
