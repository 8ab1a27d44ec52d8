//! What a game server is asked to do and what it does: two different facts.
//!
//! `PowerIntent` is the wish, stored and numbered. `Phase` is what the agent sees. The agent's reconciler
//! compares them for ever; nothing else decides.
//!
//! ```text
//!              install ok                ready line or port
//!  Installing ───────────▶ Stopped ──▶ Starting ──▶ Running
//!      │ failed                ▲            │           │ stop, restart, kill
//!      └──────▶ Stopped        │            │ exit      ▼
//!               (with the      │            ▼        Stopping ──▶ Stopped
//!                reason)       │   exit unasked-for     │ timeout: SIGKILL
//!                              │      ▼                 ▼
//!                              └── Crashed ⇄ CrashLooping ──▶ Starting (after the back-off, for ever)
//! ```
//!
//! `Unreachable` is no phase of a server: it is what the control plane says of a server whose node is silent,
//! next to the last phase that it knows.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{JobId, Millis, Timestamp};

/// What a user asked a game server to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// Run it, if it does not run.
    Start,
    /// Stop it by the template's soft way, then by SIGKILL when its time is up.
    Stop,
    /// Stop it as above and start it again.
    Restart,
    /// SIGKILL to everything it started, at once. Always allowed, always wins.
    Kill,
}

impl PowerAction {
    /// Every action, in the order in which the panel shows them.
    pub const ALL: [Self; 4] = [Self::Start, Self::Stop, Self::Restart, Self::Kill];

    /// Whether a server with this intent should be running once the action is done.
    pub const fn wants_running(self) -> bool {
        matches!(self, Self::Start | Self::Restart)
    }

    /// The action's name in the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Kill => "kill",
        }
    }
}

/// The last wish, durable. An agent carries out an action when `serial` is newer than the last one it carried
/// out, and afterwards keeps the server as `action.wants_running()` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerIntent {
    /// What was asked for.
    pub action: PowerAction,
    /// Counts the wishes of this server; 0 is "never asked", which means stopped.
    pub serial: u64,
}

impl Default for PowerIntent {
    fn default() -> Self {
        Self { action: PowerAction::Stop, serial: 0 }
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Exit {
    /// It ended by itself with this code.
    Code {
        /// The exit code, 0 to 255.
        code: i32,
    },
    /// A signal ended it.
    Signal {
        /// The signal's number, for example 9.
        signal: i32,
    },
    /// The kernel ended it because it used more memory than its limit.
    OutOfMemory {
        /// The limit in bytes.
        limit_bytes: u64,
    },
    /// It could not be started at all.
    SpawnFailed {
        /// The operating system's words.
        message: String,
    },
    /// Its keeper (the shim) died and took it along; how the game itself would have ended is not known.
    KeeperLost,
    /// It ended while nobody could see how, for example across a reboot of its machine.
    Unknown,
}

impl Exit {
    /// How the process ended, as the end of a sentence: "ended with code 1".
    pub fn describe(&self) -> String {
        match self {
            Self::Code { code: 0 } => "ended by itself (exit code 0)".to_owned(),
            Self::Code { code } => format!("ended with exit code {code}"),
            Self::Signal { signal } => format!("was ended by {}", signal_name(*signal)),
            Self::OutOfMemory { limit_bytes } => {
                format!("ran out of memory (limit {} MiB)", limit_bytes / (1024 * 1024))
            }
            Self::SpawnFailed { message } => format!("could not be started: {message}"),
            Self::KeeperLost => "ended because the process that keeps its console was killed".to_owned(),
            Self::Unknown => "ended while its node was down".to_owned(),
        }
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        2 => "SIGINT".to_owned(),
        4 => "SIGILL".to_owned(),
        6 => "SIGABRT".to_owned(),
        7 => "SIGBUS".to_owned(),
        8 => "SIGFPE".to_owned(),
        9 => "SIGKILL".to_owned(),
        11 => "SIGSEGV".to_owned(),
        13 => "SIGPIPE".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

/// One life of a game process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The game's process id on its node.
    pub pid: u32,
    /// When it was spawned.
    pub started_at: Timestamp,
}

/// Why a server is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum StopReason {
    /// It was never started.
    NeverStarted,
    /// Somebody asked for it.
    Asked {
        /// How the process ended.
        exit: Exit,
        /// Whether it took SIGKILL, because it was asked for or because the soft way took too long.
        killed: bool,
    },
    /// The installation failed; it cannot start.
    InstallFailed {
        /// What went wrong and what to do, in words.
        message: String,
    },
}

/// What the agent sees of one game server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// The installation runs or waits for its turn.
    Installing {
        /// The job, whose log can be read.
        job: JobId,
        /// Counts from 1.
        attempt: u32,
        /// What it does now, in words.
        step: String,
        /// 0 to 100.
        percent: u8,
    },
    /// No process, and none wanted or possible.
    Stopped {
        /// Why.
        #[serde(flatten)]
        reason: StopReason,
    },
    /// The process exists; its ready line or port has not been seen yet.
    Starting {
        /// The process. `None` until it is spawned.
        run: Option<Run>,
    },
    /// Ready for players.
    Running {
        /// The process.
        run: Run,
        /// When the ready line or the port was seen.
        ready_at: Timestamp,
    },
    /// Asked to stop; still there.
    Stopping {
        /// The process.
        run: Run,
        /// When SIGKILL follows.
        kill_at: Timestamp,
    },
    /// Ended unasked-for; will be started again.
    Crashed {
        /// How.
        exit: Exit,
        /// When it is started again.
        restart_at: Timestamp,
        /// Crashes in a row without a healthy time between them.
        crashes: u32,
    },
    /// Crashed several times in a row; is tried again more and more slowly, never given up.
    CrashLooping {
        /// How it ended last.
        exit: Exit,
        /// When it is started again.
        restart_at: Timestamp,
        /// Crashes in a row without a healthy time between them.
        crashes: u32,
    },
}

/// The state of a server in one word, as the API and the panel show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// The installation runs or waits for its turn.
    Installing,
    /// Not running, and not wanted to run.
    Stopped,
    /// The process exists and is not ready yet.
    Starting,
    /// Ready for players.
    Running,
    /// Asked to stop, still there.
    Stopping,
    /// Ended unasked-for; started again shortly.
    Crashed,
    /// Ends again and again; started again more and more slowly.
    CrashLooping,
    /// Its node does not answer; what is shown is the last that is known.
    Unreachable,
}

impl ServerState {
    /// The state's name in the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installing => "installing",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Crashed => "crashed",
            Self::CrashLooping => "crash_looping",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Phase {
    /// The state in one word.
    pub const fn state(&self) -> ServerState {
        match self {
            Self::Installing { .. } => ServerState::Installing,
            Self::Stopped { .. } => ServerState::Stopped,
            Self::Starting { .. } => ServerState::Starting,
            Self::Running { .. } => ServerState::Running,
            Self::Stopping { .. } => ServerState::Stopping,
            Self::Crashed { .. } => ServerState::Crashed,
            Self::CrashLooping { .. } => ServerState::CrashLooping,
        }
    }

    /// The game process, if there is one.
    pub const fn run(&self) -> Option<Run> {
        match self {
            Self::Starting { run } => *run,
            Self::Running { run, .. } | Self::Stopping { run, .. } => Some(*run),
            Self::Installing { .. } | Self::Stopped { .. } | Self::Crashed { .. } | Self::CrashLooping { .. } => None,
        }
    }

    /// Why the server is in this state, as a sentence for its owner.
    pub fn reason(&self) -> String {
        match self {
            Self::Installing { attempt, step, percent, .. } if *attempt > 1 => {
                format!("Being installed, attempt {attempt} ({percent} %): {step}.")
            }
            Self::Installing { step, percent, .. } => format!("Being installed ({percent} %): {step}."),
            Self::Stopped { reason: StopReason::NeverStarted } => "Installed and ready to start.".to_owned(),
            Self::Stopped { reason: StopReason::Asked { killed: true, .. } } => {
                "Stopped by SIGKILL, as asked or because it took too long to stop.".to_owned()
            }
            Self::Stopped { reason: StopReason::Asked { exit, .. } } => {
                format!("Stopped as asked; it {}.", exit.describe())
            }
            Self::Stopped { reason: StopReason::InstallFailed { message } } => {
                format!("The installation failed: {message}")
            }
            Self::Starting { .. } => "Started; waiting for it to say that it is ready.".to_owned(),
            Self::Running { .. } => "Running.".to_owned(),
            Self::Stopping { kill_at, .. } => {
                format!("Asked to stop; it is killed at {kill_at} if it has not stopped by then.")
            }
            Self::Crashed { exit, restart_at, .. } => {
                format!("The server {}. It is started again at {restart_at}.", exit.describe())
            }
            Self::CrashLooping { exit, restart_at, crashes } => format!(
                "The server ended {crashes} times in a row; the last time it {}. The next try is at {restart_at}; \
                 look at the end of the console for the cause.",
                exit.describe()
            ),
        }
    }
}

/// Whether an action may be asked for now, and if not, why not: the sentence on the disabled button.
///
/// `phase` is the last known one; `reachable` says whether the node answers. A wish is durable and reaches the
/// node when it is back, so an unreachable node forbids nothing by itself; what is already so is refused.
pub fn allowed(action: PowerAction, phase: Option<&Phase>, reachable: bool) -> Result<(), String> {
    // Not knowing forbids nothing: the wish is kept, and the node decides when it hears of it.
    let Some(phase) = phase else { return Ok(()) };
    if !reachable {
        return Ok(());
    }
    let name = action.as_str();
    match (action, phase) {
        (PowerAction::Kill, Phase::Installing { .. }) => {
            Err("There is no process to kill: the server is being installed.".to_owned())
        }
        (PowerAction::Kill, Phase::Stopped { .. }) => {
            Err("There is no process to kill: the server is stopped.".to_owned())
        }
        (PowerAction::Kill, _) => Ok(()),
        (_, Phase::Installing { percent, .. }) => {
            Err(format!("Cannot {name}: the server is being installed ({percent} %)."))
        }
        (PowerAction::Start | PowerAction::Restart, Phase::Stopped { reason: StopReason::InstallFailed { .. } }) => {
            Err(format!("Cannot {name}: the installation failed. Install it again first."))
        }
        (PowerAction::Start, Phase::Starting { .. }) => Err("The server is already starting.".to_owned()),
        (PowerAction::Start, Phase::Running { .. }) => Err("The server is already running.".to_owned()),
        (PowerAction::Start, Phase::Stopping { .. }) => {
            Err("The server is stopping; start it when it has stopped, or use restart.".to_owned())
        }
        (PowerAction::Stop, Phase::Stopped { .. }) => Err("The server is already stopped.".to_owned()),
        (PowerAction::Stop, Phase::Stopping { .. }) => {
            Err("The server is already stopping; use kill if it takes too long.".to_owned())
        }
        (PowerAction::Restart, Phase::Stopped { .. }) => Err("The server is stopped: use start.".to_owned()),
        (PowerAction::Start | PowerAction::Stop | PowerAction::Restart, _) => Ok(()),
    }
}

/// How a crash is answered. Every limit is a delay; none is an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashPolicy {
    /// Delay before the first restart in a row, in milliseconds; the end of a healthy run is answered at once.
    pub first_delay_ms: Millis,
    /// The longest delay, in milliseconds.
    pub max_delay_ms: Millis,
    /// A run of this length, in milliseconds, counts as healthy and forgets the crashes before it.
    pub healthy_after_ms: Millis,
}

impl Default for CrashPolicy {
    fn default() -> Self {
        Self { first_delay_ms: 1_000, max_delay_ms: 300_000, healthy_after_ms: 60_000 }
    }
}
