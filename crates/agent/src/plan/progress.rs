//! How far the wishes for one server have been carried out: the durable half of what the plan decides from.

use nodepanel_types::{
    JobId, Millis, Timestamp,
    state::{PowerAction, StopReason},
    wire::InstallState,
};
use serde::{Deserialize, Serialize};

use crate::policy::CrashHistory;

/// What has been carried out for one server. Written to disk before anything is done that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The form of this record.
    pub v: u32,
    /// The last power wish that was taken up.
    pub power_serial: u64,
    /// What that wish was.
    pub action: PowerAction,
    /// The run that a restart is to replace.
    pub replace: Option<u64>,
    /// Counts the starts of the server.
    pub runs: u64,
    /// The run whose end has not been taken note of.
    pub run: Option<RunRecord>,
    /// The crashes since it was last healthy.
    pub crashes: CrashHistory,
    /// Restarts after crashes since the server was created.
    pub automatic_restarts: u64,
    /// Why it is stopped, when it is.
    pub stopped: StopReason,
    /// Its installation.
    pub install: InstallProgress,
    /// When its removal was asked for and in which generation.
    pub removing: Option<u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            v: 1,
            power_serial: 0,
            action: PowerAction::Stop,
            replace: None,
            runs: 0,
            run: None,
            crashes: CrashHistory::default(),
            automatic_restarts: 0,
            stopped: StopReason::NeverStarted,
            install: InstallProgress::default(),
            removing: None,
        }
    }
}

impl Progress {
    /// Whether the server should be running once the wish that was taken up is carried out.
    pub const fn wants_running(&self) -> bool {
        self.power_serial > 0 && self.action.wants_running() && self.removing.is_none()
    }
}

/// A run that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Counts the starts of the server.
    pub number: u64,
    /// When its start was begun.
    pub begun_at: Timestamp,
    /// The boot of the machine in which it was begun.
    pub boot: String,
    /// Whether it was asked to stop, and when that stop turns into a kill.
    pub stop: Option<StopSent>,
}

/// A stop that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopSent {
    /// When SIGKILL follows.
    pub kill_at: Timestamp,
    /// When SIGKILL was last sent.
    pub killed_at: Option<Timestamp>,
}

/// How far the installation is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InstallProgress {
    /// The last serial whose installation came to an end, good or bad.
    pub finished: u64,
    /// How that ended.
    pub result: Option<InstallResult>,
    /// The installation that runs or waits.
    pub current: Option<InstallJob>,
}

impl InstallProgress {
    /// As it is reported.
    pub fn state(&self) -> InstallState {
        if let Some(current) = &self.current {
            return match current.started_at {
                Some(started_at) => InstallState::Running { job: current.job, started_at },
                None => InstallState::Pending,
            };
        }
        match &self.result {
            None => InstallState::Pending,
            Some(InstallResult { at, took_ms, failure: None }) => {
                InstallState::Succeeded { serial: self.finished, at: *at, took_ms: *took_ms }
            }
            Some(InstallResult { at, failure: Some(message), .. }) => {
                InstallState::Failed { serial: self.finished, at: *at, message: message.clone() }
            }
        }
    }

    /// Why the server cannot start, when its installation failed.
    pub fn failure(&self) -> Option<&str> {
        self.result.as_ref().and_then(|result| result.failure.as_deref())
    }
}

/// How an installation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallResult {
    /// When.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: Millis,
    /// What went wrong, if anything.
    pub failure: Option<String>,
}

/// An installation that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallJob {
    /// Its id.
    pub job: JobId,
    /// What it installs.
    pub serial: u64,
    /// Counts its attempts from 1.
    pub attempt: u32,
    /// When the attempt began; `None` while it waits.
    pub started_at: Option<Timestamp>,
    /// When it is tried (again), while it waits for that.
    pub not_before: Option<Timestamp>,
    /// Somebody asked to kill it.
    pub cancelled: bool,
}
