//! Which process a pid means: the pid, the instant it was started at, and the boot it belongs to.
//!
//! A pid alone is reused by the kernel within minutes on a busy host; the three together never are.

use std::{fs, io, time::Duration};

use serde::{Deserialize, Serialize};

use super::ProcessError;

/// What Linux calls a tick towards programs, on every processor that we run on (`sysconf(_SC_CLK_TCK)`).
const TICKS_PER_SECOND: u64 = 100;

/// Names one process for as long as the host exists; stored in state files so that a later process of ours can find
/// it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its process id.
    pub pid: u32,
    /// When it was started, in clock ticks since the host's boot (`/proc/<pid>/stat`, field 22).
    pub start_ticks: u64,
    /// The kernel's random id of this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
}

impl Identity {
    /// Reads the identity of a running (or ended and not yet reaped) process; `None` when there is no such process.
    pub fn read(pid: u32) -> Result<Option<Self>, ProcessError> {
        let failed = |source| ProcessError::Identity { pid, source };
        let stat = match fs::read(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat,
            // ESRCH: it went away between opening and reading.
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let start_ticks = start_ticks(&stat)
            .ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "the stat line has another form")))?;
        Ok(Some(Self { pid, start_ticks, boot_id: boot_id().map_err(failed)? }))
    }

    /// The identity of the calling process.
    pub fn own() -> Result<Self, ProcessError> {
        let pid = std::process::id();
        Self::read(pid)?.ok_or_else(|| ProcessError::Identity { pid, source: io::ErrorKind::NotFound.into() })
    }

    /// Whether the process that this names still runs (or waits to be reaped).
    pub fn exists(&self) -> Result<bool, ProcessError> {
        Ok(Self::read(self.pid)?.as_ref() == Some(self))
    }
}

impl Identity {
    /// How long after the host's boot it was started.
    pub const fn since_boot(&self) -> Duration {
        Duration::from_millis(self.start_ticks.saturating_mul(1_000 / TICKS_PER_SECOND))
    }

    /// Whether the process that this names still runs: one that has ended and waits to be reaped does not.
    pub fn is_running(&self) -> Result<bool, ProcessError> {
        if !self.exists()? {
            return Ok(false);
        }
        match fs::read(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => Ok(!matches!(state(&stat), Some(b'Z' | b'X') | None)),
            Err(error) if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) => Ok(false),
            Err(source) => Err(ProcessError::Identity { pid: self.pid, source }),
        }
    }
}

/// The third field of a stat line: the state in one letter.
fn state(stat: &[u8]) -> Option<u8> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(name_end + 2).copied()
}

/// The id of the present boot.
fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned())
}

/// Field 22 of a stat line. The second field is the program's name in parentheses and may hold anything, also
/// spaces and parentheses, so fields are counted from the last closing one.
fn start_ticks(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let stat = b"7 (a) b (c 1 2) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        assert_eq!(start_ticks(stat), Some(4711));
        assert_eq!(start_ticks(b"7 (a) S 1"), None);
        assert_eq!(start_ticks(b""), None);
    }

    #[test]
    fn our_own_identity_exists_and_a_recycled_one_does_not() {
        let own = Identity::own().unwrap();
        assert_eq!(own.pid, std::process::id());
        assert!(own.exists().unwrap());
        let recycled = Identity { start_ticks: own.start_ticks + 1, ..own.clone() };
        assert!(!recycled.exists().unwrap());
        let other_boot = Identity { boot_id: "another".to_owned(), ..own };
        assert!(!other_boot.exists().unwrap());
    }

    #[test]
    fn what_has_ended_does_not_run_although_nobody_has_reaped_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let identity = Identity::read(child.id()).unwrap().unwrap();
        assert!(identity.is_running().unwrap());
        child.kill().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while identity.is_running().unwrap() {
            assert!(std::time::Instant::now() < deadline, "a killed process is said to run");
            std::thread::yield_now();
        }
        assert!(identity.exists().unwrap());
        child.wait().unwrap();
        assert!(!identity.exists().unwrap());
    }

    #[test]
    fn a_pid_that_nobody_has_is_none() {
        // Pids end below 4194304 (PID_MAX_LIMIT of the kernel).
        assert_eq!(Identity::read(4_194_304).unwrap(), None);
    }
}
