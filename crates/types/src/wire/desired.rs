//! What an agent should run: the desired state of a server, complete and already rendered, so that the node
//! needs nobody else to install, start, stop or restart it.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Millis, ServerId,
    state::{CrashPolicy, PowerIntent},
};

/// One server as its node should run it. A request with a lower `generation` than the node holds is stale and
/// refused; an equal one is a repetition and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredServer {
    /// The form of this record.
    pub v: u32,
    /// Which server.
    pub server: ServerId,
    /// Counts every change of the server's desired state.
    pub generation: u64,
    /// The name that users gave it, for logs.
    pub name: String,
    /// What it may use.
    pub limits: Limits,
    /// The addresses and ports that it is to listen on; the first is the primary one.
    pub endpoints: Vec<Endpoint>,
    /// How it is installed. Counts from 1; a higher serial installs (again).
    pub install_serial: u64,
    /// Debian packages that the host must have before the installation.
    pub packages: Vec<String>,
    /// Programs that the host must have before the installation, from wherever.
    #[serde(default)]
    pub programs: Vec<Program>,
    /// What the installation does, in order.
    pub install: Vec<InstallStep>,
    /// How long the whole installation may take.
    pub install_timeout_ms: Millis,
    /// How it is started, watched and stopped.
    pub launch: Launch,
    /// How the running server is asked for its players; absent when it cannot be asked.
    #[serde(default)]
    pub query: Option<PlayerQuery>,
    /// How crashes are answered.
    pub crash: CrashPolicy,
    /// What its owner asked for last.
    pub power: PowerIntent,
}

/// A program that comes to a host in more ways than one. The package is installed only when the program is not
/// in `PATH`: Debian's `npm`, for one, removes the Node.js that somebody installed from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program's name, without a slash.
    pub name: String,
    /// The Debian package that provides it.
    pub package: String,
}

/// An address and port of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// What the template calls this port, for example `game` or `rcon`.
    pub name: String,
    /// The address that it binds.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// What is spoken on it.
    pub protocol: Protocol,
}

/// How a running server is asked for its players.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerQuery {
    /// The language.
    pub kind: QueryKind,
    /// The name of the endpoint that answers.
    pub endpoint: String,
}

/// A language in which a game tells who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKind {
    /// Minecraft Java's status ping, over TCP.
    Minecraft,
    /// `OpenTTD`'s game information, over TCP (version 12 and newer).
    Openttd,
    /// Quake 3's `getstatus`, over UDP.
    Quake3,
    /// Valve's `A2S_INFO`, over UDP.
    A2s,
}

impl QueryKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Minecraft, Self::Openttd, Self::Quake3, Self::A2s];

    /// Its name in templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minecraft => "minecraft",
            Self::Openttd => "openttd",
            Self::Quake3 => "quake3",
            Self::A2s => "a2s",
        }
    }
}

/// The transport of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP only.
    Tcp,
    /// UDP only.
    Udp,
    /// Both.
    Both,
}

/// What a server may use; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory in MiB; the server is ended when it needs more. 16 to 16,777,216.
    #[serde(default)]
    pub memory_mib: Option<u32>,
    /// Processor time in percent of one core: 150 is one and a half cores. 1 to 100,000.
    #[serde(default)]
    pub cpu_percent: Option<u32>,
    /// Processes and threads. 4 to 1,000,000.
    #[serde(default)]
    pub pids: Option<u32>,
    /// Size of the server's directory in MiB. Reported and warned about; enforced where the file system can.
    #[serde(default)]
    pub disk_mib: Option<u32>,
}

/// One step of an installation. Steps run as the server's own user, in the server's directory, with `HOME` set to
/// it, under the server's limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum InstallStep {
    /// Runs a program (no shell); anything but exit code 0 fails the installation.
    Run {
        /// What it does, in words, shown as progress.
        title: String,
        /// Program and arguments.
        command: Vec<String>,
        /// Added to a minimal environment.
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
    /// Writes a file.
    File {
        /// Which and what.
        #[serde(flatten)]
        file: FileSpec,
    },
}

/// A file below the server's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// Relative path, without `..`.
    pub path: String,
    /// The whole content.
    pub content: String,
    /// Leave an existing file as it is.
    #[serde(default)]
    pub keep_existing: bool,
    /// Make it executable.
    #[serde(default)]
    pub executable: bool,
}

/// How a server is started, watched and stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Program and arguments; run in the server's directory. A program without a slash is looked up in `PATH`.
    pub command: Vec<String>,
    /// Added to a minimal environment.
    pub env: BTreeMap<String, String>,
    /// Written before every start (configuration that follows the server's variables).
    pub files: Vec<FileSpec>,
    /// What the game gets as its terminal.
    pub console: ConsoleMode,
    /// When it counts as running.
    pub ready: Ready,
    /// After this time without being ready, a starting server is reported as running without its sign; it is never
    /// ended for it.
    pub ready_timeout_ms: Millis,
    /// How it is asked to stop.
    pub stop: StopWay,
    /// When SIGKILL follows.
    pub stop_timeout_ms: Millis,
    /// Whom it runs as.
    #[serde(default)]
    pub run_as: RunAs,
    /// More paths than the server's own directory and the system's that it may read, absolute.
    #[serde(default)]
    pub read_paths: Vec<String>,
}

/// Whom a server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAs {
    /// A user of its own when the agent is root, else the agent's user (with a warning).
    #[default]
    OwnUser,
}

/// What a game gets as its terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleMode {
    /// Pipes for standard input, output and error.
    Pipe,
    /// A pseudo-terminal of 200 columns.
    Pty,
}

/// When a server counts as running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Ready {
    /// A line of its output matches this regular expression (ANSI codes removed before).
    Line {
        /// The expression, in the syntax of Rust's `regex`.
        pattern: String,
    },
    /// Its primary port is bound by it.
    Port,
    /// It exists.
    Spawned,
}

/// How a server is asked to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum StopWay {
    /// A line typed into its console.
    Command {
        /// The line, without a line end.
        line: String,
    },
    /// A signal to its process.
    Signal {
        /// The signal's number: SIGTERM is 15, SIGINT 2.
        signal: i32,
    },
}

/// Desired states, sent together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyRequest {
    /// The form of this message.
    pub v: u32,
    /// The servers; those that are not named stay as they are.
    pub servers: Vec<DesiredServer>,
}

/// What came of each, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyResponse {
    /// One per server of the request.
    pub servers: Vec<Applied>,
}

/// What came of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Which server.
    pub server: ServerId,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: ApplyOutcome,
}

/// What came of a desired state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum ApplyOutcome {
    /// On the node's disk; the agent acts on it.
    Applied,
    /// The node already holds this generation.
    Unchanged,
    /// The node holds a newer one.
    Stale {
        /// Which.
        held: u64,
    },
    /// The node cannot take it.
    Refused {
        /// Why, in words.
        reason: String,
    },
}

/// Stops a server and deletes everything of it. Final: later generations are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remove {
    /// The form of this message.
    pub v: u32,
    /// Which server.
    pub server: ServerId,
    /// The generation of the deletion.
    pub generation: u64,
}
