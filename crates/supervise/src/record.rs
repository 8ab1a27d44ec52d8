//! What one supervisor leaves to the next: `run/supervisor.json`.
//!
//! It names the processes that run, so that the next supervisor takes them over instead of starting a second copy.
//! It is replaced as a whole and is on disk before it counts (write, fsync, rename, fsync of the directory).

use std::{io, path::Path};

use nodepanel_types::{Millis, Timestamp, WorkerId, component::Role};
use serde::{Deserialize, Serialize};

use crate::{
    process::{Identity, Process},
    whole_file,
};

/// The name of the file in the run directory.
pub const RECORD_FILE: &str = "supervisor.json";
/// The form that this code writes.
const VERSION: u32 = 1;

/// The state of one installation's processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The form of the file.
    pub version: u32,
    /// The supervisor itself.
    pub supervisor: ProcessRecord,
    /// Its workers.
    pub workers: Vec<ProcessRecord>,
    /// Who keeps the supervisor, when somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<ProcessRecord>,
    /// The boot of the machine in which this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

/// The state of one process, or of its absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// Its name in the plan.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Which process; `None` when none runs and none is meant to.
    pub identity: Option<Identity>,
    /// What this run of it calls itself.
    pub worker_id: Option<WorkerId>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// It had said that it was ready.
    pub ready: bool,
    /// Restarts after an unasked-for end.
    pub restarts: u64,
    /// From the last unasked-for end to ready again.
    pub last_recovery_ms: Option<Millis>,
    /// How the process before this one ended.
    pub last_exit: Option<String>,
}

impl ProcessRecord {
    /// A process that never ran.
    pub fn empty(name: impl Into<String>, role: Role) -> Self {
        Self {
            name: name.into(),
            role,
            identity: None,
            worker_id: None,
            started_at: None,
            ready: false,
            restarts: 0,
            last_recovery_ms: None,
            last_exit: None,
        }
    }
}

impl Record {
    /// The record of an installation where nothing ever ran.
    pub fn empty() -> Self {
        Self {
            version: VERSION,
            supervisor: ProcessRecord::empty("supervisor", Role::Supervisor),
            workers: Vec::new(),
            keeper: None,
            boot_id: None,
        }
    }

    /// Reads the record of a run directory; an empty one where there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds something else (`InvalidData`).
    pub fn read(run_dir: &Path) -> io::Result<Self> {
        Ok(whole_file::read_json(&run_dir.join(RECORD_FILE))?.unwrap_or_else(Self::empty))
    }

    /// Replaces the record of a run directory. Blocks until it is on disk.
    pub fn write(&self, run_dir: &Path) -> io::Result<()> {
        whole_file::replace_json(&run_dir.join(RECORD_FILE), self)
    }

    /// Whether a worker of it still runs.
    pub fn anything_runs(&self) -> bool {
        let recorded = self.workers.iter().filter_map(|worker| worker.identity.as_ref());
        recorded.map(Process::adopt).any(|process| matches!(process, Ok(Some(_))))
    }

    /// What is recorded of a worker.
    pub fn worker(&self, name: &str) -> Option<&ProcessRecord> {
        self.workers.iter().find(|worker| worker.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), Record::empty());
        let mut record = Record::empty();
        let mut worker = ProcessRecord::empty("api-1", Role::Api);
        worker.identity = Some(Identity::own().unwrap());
        record.workers.push(worker);
        record.write(dir.path()).unwrap();
        assert_eq!(Record::read(dir.path()).unwrap(), record);
        fs::write(dir.path().join(RECORD_FILE), b"{\"version\":1,").unwrap();
        assert_eq!(Record::read(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn the_form_of_version_1_stays_readable() {
        let text = r#"{"version":1,"supervisor":{"name":"supervisor","role":"supervisor","identity":{"pid":7,"start_ticks":9,"boot_id":"b"},"worker_id":null,"started_at":"2026-11-22T08:00:00.000Z","ready":true,"restarts":2,"last_recovery_ms":5,"last_exit":"was killed by SIGKILL"},"workers":[]}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.supervisor.restarts, 2);
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
    }
}
