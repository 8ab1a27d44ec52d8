//! What a runtime needs to know to start a run.

use std::{collections::BTreeMap, path::PathBuf};

use nodepanel_shim::Subject;
use nodepanel_types::{
    Millis, ServerId,
    wire::{ConsoleMode, Endpoint, Limits, Ready, StopWay},
};

use crate::cgroup::Group;

/// Where a run is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPlace {
    /// Whose run it is.
    pub server: ServerId,
    /// The keeper's own directory.
    pub state_dir: PathBuf,
    /// The numbered console log.
    pub log_dir: PathBuf,
}

/// A run that is to be started.
#[derive(Debug, Clone)]
pub struct RunOrder {
    /// Where it is kept.
    pub place: RunPlace,
    /// What it is.
    pub subject: Subject,
    /// Working directory and `HOME`.
    pub home: PathBuf,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Added to the clean environment.
    pub env: BTreeMap<String, String>,
    /// Its terminal.
    pub console: ConsoleMode,
    /// When it counts as running.
    pub ready: Ready,
    /// When it counts as running without its sign.
    pub ready_timeout_ms: Millis,
    /// The ports that it is to listen on.
    pub endpoints: Vec<Endpoint>,
    /// How it is asked to stop.
    pub stop: StopWay,
    /// When SIGKILL follows.
    pub stop_timeout_ms: Millis,
    /// The user it runs as; `None` is the agent's own.
    pub user: Option<u32>,
    /// The group it joins, made anew with these limits.
    pub group: Option<(Group, Limits)>,
    /// Whether it is confined to its directory.
    pub confined: bool,
    /// More paths that it may read.
    pub read_paths: Vec<PathBuf>,
}
