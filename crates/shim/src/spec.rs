//! The order that an agent writes for one life of one game server, as versioned JSON.
//!
//! The agent writes the file before it starts the shim and never changes it while that shim lives; the next start
//! gets a new one. Files of the game (configuration that follows the server's variables) are the agent's to write
//! as well. Nothing in here is secret: the token lies in a file of its own, which the game cannot read.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use nodepanel_types::{
    Millis, ServerId,
    wire::{ConsoleMode, Endpoint, Launch, Ready, StopWay},
};
use serde::{Deserialize, Serialize};

/// The newest form of [`ShimSpec`] that this build writes and reads.
pub const SPEC_VERSION: u32 = 1;

/// What one shim is to start, watch and keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimSpec {
    /// The form of this record: [`SPEC_VERSION`].
    pub v: u32,
    /// Which server.
    pub server: ServerId,
    /// What is kept, for the words in its log.
    #[serde(default)]
    pub subject: Subject,
    /// The server's own directory, absolute: working directory and `HOME`.
    pub dir: PathBuf,
    /// Program and arguments. A program without a slash is looked up in `PATH`.
    pub command: Vec<String>,
    /// Added to the clean environment (`PATH`, `HOME`, `LANG`, `TERM`, `TMPDIR`); wins over it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What the game gets as its terminal.
    pub console: ConsoleMode,
    /// When it counts as running.
    pub ready: Ready,
    /// After this time it counts as running although no sign was seen.
    pub ready_timeout_ms: Millis,
    /// The ports that it is to listen on; the first is the one that [`Ready::Port`] waits for.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// How it is asked to stop.
    pub stop: StopWay,
    /// When SIGKILL follows a request to stop that names no time of its own.
    pub stop_timeout_ms: Millis,
    /// Whom it runs as; `None` is the shim's own user.
    #[serde(default)]
    pub user: Option<UserIds>,
    /// Directories of the control groups that it joins (one on cgroup v2, one per controller on v1), made and
    /// limited by the agent.
    #[serde(default)]
    pub cgroups: Vec<PathBuf>,
    /// Limits of single processes.
    #[serde(default)]
    pub rlimits: Rlimits,
    /// What it may see of the machine.
    #[serde(default)]
    pub confinement: Confinement,
    /// The shim's own directory, absolute, mode 0700, one per server: socket, lock and exit file lie there.
    pub state_dir: PathBuf,
    /// The file with the token that clients of the shim must know (whitespace at its ends does not count).
    pub token_file: PathBuf,
    /// Where console lines are kept.
    pub log: LogSpec,
    /// The number of the first line, when the log does not know a later one. At least 1.
    #[serde(default = "one")]
    pub first_line: u64,
    /// How long the shim stays after the game has ended, to be asked about it, unless the exit is acknowledged.
    #[serde(default = "default_linger")]
    pub linger_ms: Millis,
}

/// What a shim keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A game server.
    #[default]
    Server,
    /// A step of an installation, whose log tells the steps by itself.
    Step,
}

impl Subject {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Step => "step",
        }
    }
}

/// A user and its group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIds {
    /// The user.
    pub uid: u32,
    /// The group; the only one.
    pub gid: u32,
}

/// Limits of single processes; `None` leaves what the shim has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rlimits {
    /// Open files of one process.
    #[serde(default)]
    pub open_files: Option<u64>,
    /// Size of a core file in bytes; 0 writes none.
    #[serde(default)]
    pub core_bytes: Option<u64>,
    /// Processes and threads of the user (a control group counts those of the server instead).
    #[serde(default)]
    pub processes: Option<u64>,
}

/// What a game may see of the machine. Always: no new privileges, no inherited descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Restrict it with Landlock, as far as the kernel can; what was obtained is reported in the status.
    #[serde(default = "yes")]
    pub landlock: bool,
    /// More paths than its own directory and the system's that it may read and execute.
    #[serde(default)]
    pub read_paths: Vec<PathBuf>,
    /// More paths than its own directory that it may write.
    #[serde(default)]
    pub write_paths: Vec<PathBuf>,
    /// Paths that it must not see although they lie below one that it may read: the agent's data directory. The
    /// shim's own directories and the token are always among them; the server's own directory never is.
    #[serde(default)]
    pub hidden_paths: Vec<PathBuf>,
    /// Added to the game's score when the machine runs out of memory, 0 to 1000, so that the kernel takes a game
    /// before it takes what keeps games.
    #[serde(default = "default_oom_score")]
    pub oom_score_adj: i32,
}

impl Default for Confinement {
    fn default() -> Self {
        Self {
            landlock: true,
            read_paths: Vec::new(),
            write_paths: Vec::new(),
            hidden_paths: Vec::new(),
            oom_score_adj: default_oom_score(),
        }
    }
}

/// Where console lines are kept and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    /// The directory, absolute; made when missing. Belongs to one server.
    pub dir: PathBuf,
    /// A segment that has reached this size is followed by a new one.
    #[serde(default = "default_segment_bytes")]
    pub segment_bytes: u64,
    /// Segments that are kept; the oldest is removed when there are more. At least 2.
    #[serde(default = "default_segments")]
    pub segments: u32,
}

impl LogSpec {
    /// A log in `dir` with the usual bounds: 8 segments of 8 MiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), segment_bytes: default_segment_bytes(), segments: default_segments() }
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

fn default_linger() -> Millis {
    60_000
}

fn default_oom_score() -> i32 {
    300
}

fn default_segment_bytes() -> u64 {
    8 * 1024 * 1024
}

fn default_segments() -> u32 {
    8
}

/// The one field that every form of the spec has.
#[derive(Deserialize)]
struct Form {
    v: u32,
}

/// Why a spec cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file cannot be read.
    #[error("the shim's order {path} cannot be read", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no spec.
    #[error("the shim's order {path} is not valid", path = path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file was written by a newer build.
    #[error("the shim's order has form {found}; this build knows up to {SPEC_VERSION}. Start the newer build instead.")]
    TooNew {
        /// Its version.
        found: u32,
    },
    /// A value makes no sense.
    #[error("the shim's order has a bad value in `{field}`: {reason}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl SpecError {
    /// The error in words for the server's owner, who is not shown the paths of the host.
    pub(crate) fn for_owner(&self) -> String {
        match self {
            Self::Read { source, .. } => format!("Its order cannot be read: {source}"),
            Self::Parse { source, .. } => format!("Its order is not valid: {source}"),
            Self::TooNew { .. } | Self::Value { .. } => self.to_string(),
        }
    }
}

impl ShimSpec {
    /// A spec for `server` that starts `launch`, with the usual bounds: the caller changes what differs.
    ///
    /// `launch.files` are not part of it (the agent writes them); `launch.read_paths` are.
    pub fn from_launch(server: ServerId, launch: &Launch, dir: PathBuf, state_dir: PathBuf, log: LogSpec) -> Self {
        Self {
            v: SPEC_VERSION,
            server,
            subject: Subject::Server,
            dir,
            command: launch.command.clone(),
            env: launch.env.clone(),
            console: launch.console,
            ready: launch.ready.clone(),
            ready_timeout_ms: launch.ready_timeout_ms,
            endpoints: Vec::new(),
            stop: launch.stop.clone(),
            stop_timeout_ms: launch.stop_timeout_ms,
            user: None,
            cgroups: Vec::new(),
            rlimits: Rlimits { open_files: None, core_bytes: Some(0), processes: None },
            confinement: Confinement {
                read_paths: launch.read_paths.iter().map(PathBuf::from).collect(),
                ..Confinement::default()
            },
            token_file: state_dir.join("token"),
            state_dir,
            log,
            first_line: one(),
            linger_ms: default_linger(),
        }
    }

    /// Reads and checks a spec.
    pub fn load(path: &Path) -> Result<Self, SpecError> {
        let bytes = fs::read(path).map_err(|source| SpecError::Read { path: path.to_owned(), source })?;
        let parse = |source| SpecError::Parse { path: path.to_owned(), source };
        let form: Form = serde_json::from_slice(&bytes).map_err(parse)?;
        if form.v > SPEC_VERSION {
            return Err(SpecError::TooNew { found: form.v });
        }
        let spec: Self = serde_json::from_slice(&bytes).map_err(parse)?;
        spec.check()?;
        Ok(spec)
    }

    /// Writes the spec so that a reader sees the old file or the new one, never half of it. It is not synced: when the
    /// machine went down, no run of it is left to be known of.
    pub fn store(&self, path: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        crate::place::write_whole(path, &bytes)
    }

    /// Checks what types cannot say.
    pub fn check(&self) -> Result<(), SpecError> {
        let bad = |field, reason: &str| Err(SpecError::Value { field, reason: reason.to_owned() });
        if self.command.first().is_none_or(String::is_empty) {
            return bad("command", "the program is missing");
        }
        if self.command.iter().any(|word| word.contains('\0')) {
            return bad("command", "a word contains a NUL character");
        }
        if self.env.iter().any(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')) {
            return bad("env", "a name is empty or contains `=`, or something contains a NUL character");
        }
        for (field, path) in [("dir", &self.dir), ("state_dir", &self.state_dir), ("log.dir", &self.log.dir)] {
            if !path.is_absolute() {
                return bad(field, "the path is not absolute");
            }
        }
        if self.log.segments < 2 || self.log.segment_bytes < 64 * 1024 {
            return bad("log", "at least 2 segments of at least 64 KiB are needed");
        }
        if self.first_line == 0 {
            return bad("first_line", "lines are numbered from 1");
        }
        if matches!(self.ready, Ready::Port) && self.endpoints.is_empty() {
            return bad("ready", "there is no port to wait for");
        }
        Ok(())
    }
}
