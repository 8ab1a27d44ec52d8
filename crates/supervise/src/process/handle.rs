//! A process that is held by a pidfd: watched, signalled, and reaped when it is our child.
//!
//! Dropping a `Process` neither ends nor reaps the process.

use std::{io, os::fd::AsFd, os::fd::OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
    },
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{Ending, Identity, ProcessError, ending::signal_name};

/// A running or ended process, whoever started it.
#[derive(Debug)]
pub struct Process {
    identity: Identity,
    pidfd: OwnedFd,
}

impl Process {
    /// Takes hold of the process that was recorded as `identity`; `None` when it is gone (also when its pid now
    /// belongs to another process).
    pub fn adopt(identity: &Identity) -> Result<Option<Self>, ProcessError> {
        let Some(process) = Self::open(identity.pid)? else { return Ok(None) };
        Ok((process.identity == *identity && process.is_running()).then_some(process))
    }

    /// Takes hold of the process that has this pid now; `None` when nobody has it.
    pub fn open(pid: u32) -> Result<Option<Self>, ProcessError> {
        let watch = |source: io::Error| ProcessError::Watch { pid, source };
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let raw = raw.ok_or_else(|| watch(io::Error::new(io::ErrorKind::InvalidInput, "not a process id")))?;
        let pidfd = match pidfd_open(raw, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(watch(errno.into())),
        };
        // Read after the pidfd is open and checked by whoever compares it: the pid may have changed hands before,
        // never while the process that the pidfd holds is still there.
        Ok(Identity::read(pid)?.map(|identity| Self { identity, pidfd }))
    }

    /// Who it is; worth recording, so that `adopt` finds it again.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// Whether it has not ended yet. Does not wait.
    pub fn is_running(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        // A pidfd becomes readable when its process ends, before anybody reaps it.
        !matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
    }

    /// Waits for its end and, when it is our child, reaps it. May be cancelled and called again; after the first
    /// answer the ending is `Unknown`, because the kernel tells it once.
    pub async fn ended(&self) -> Result<Ending, ProcessError> {
        let watch = |source: io::Error| ProcessError::Watch { pid: self.identity.pid, source };
        // A duplicate, because one descriptor can be registered with a runtime only once and this may be called by
        // several tasks.
        let pidfd = self.pidfd.try_clone().map_err(watch)?;
        #[expect(deprecated, reason = "sound for an OwnedFd that is given away; what replaces it is unsafe to call")]
        let pidfd = AsyncFd::with_interest(pidfd, Interest::READABLE).map_err(watch)?;
        let _ready = pidfd.readable().await.map_err(watch)?;
        self.reap()
    }

    /// Sends a signal to this process alone; `false` when it had ended already.
    pub fn signal(&self, signal: Signal) -> Result<bool, ProcessError> {
        self.sent(signal, pidfd_send_signal(&self.pidfd, signal))
    }

    /// Sends a signal to the process group that this process leads (`Launch` makes every process a leader);
    /// `false` when nobody of the group is left. Falls back to the process alone where it leads no group.
    pub fn signal_group(&self, signal: Signal) -> Result<bool, ProcessError> {
        // Once the leader is reaped its group id may belong to somebody else, hence the check; until then the
        // kernel keeps the number taken.
        if !self.is_running() && !self.identity.exists()? {
            return Ok(false);
        }
        let group = i32::try_from(self.identity.pid).ok().and_then(Pid::from_raw);
        match group.map(|group| kill_process_group(group, signal)) {
            Some(Ok(())) => Ok(true),
            Some(Err(_)) | None => self.signal(signal),
        }
    }

    fn sent(&self, signal: Signal, result: rustix::io::Result<()>) -> Result<bool, ProcessError> {
        match result {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(errno) => Err(ProcessError::Signal {
                pid: self.identity.pid,
                signal: signal_name(signal.as_raw()),
                source: errno.into(),
            }),
        }
    }

    fn reap(&self) -> Result<Ending, ProcessError> {
        match waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(status)) => Ok(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Ending::Exited { code },
                (None, Some(signal)) => Ending::Killed { signal },
                (None, None) => Ending::Unknown,
            }),
            // ECHILD: not our child, or reaped by somebody else.
            Ok(None) | Err(rustix::io::Errno::CHILD) => Ok(Ending::Unknown),
            Err(errno) => Err(ProcessError::Watch { pid: self.identity.pid, source: errno.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Launch;
    use super::*;

    #[tokio::test]
    async fn a_child_tells_how_it_ended_once() {
        let child = Launch::new("/bin/sh").args(["-c", "exit 7"]).start().unwrap();
        assert_eq!(child.ended().await.unwrap(), Ending::Exited { code: 7 });
        assert!(!child.is_running());
        assert_eq!(child.ended().await.unwrap(), Ending::Unknown);
    }

    #[tokio::test]
    async fn a_signal_is_reported_by_number() {
        let child = Launch::new("/bin/sleep").args(["600"]).start().unwrap();
        assert!(child.is_running());
        assert!(child.signal(Signal::KILL).unwrap());
        assert_eq!(child.ended().await.unwrap(), Ending::Killed { signal: 9 });
        assert!(!child.signal(Signal::KILL).unwrap());
        assert!(!child.signal_group(Signal::KILL).unwrap());
    }

    #[tokio::test]
    async fn the_group_is_signalled_with_its_leader() {
        // The grandchild keeps the write end of the pipe open: reading to the end proves that it is dead too.
        let (mut reader, writer) = io::pipe().unwrap();
        let child = Launch::new("/bin/sh")
            .args(["-c", "sleep 600 & echo started; wait"])
            .stdout(OwnedFd::from(writer))
            .start()
            .unwrap();
        let mut started = [0; 8];
        io::Read::read_exact(&mut reader, &mut started).unwrap();
        assert!(child.signal_group(Signal::KILL).unwrap());
        assert_eq!(child.ended().await.unwrap(), Ending::Killed { signal: 9 });
        let mut rest = Vec::new();
        io::Read::read_to_end(&mut reader, &mut rest).unwrap();
        assert!(rest.is_empty());
    }

    #[tokio::test]
    async fn a_process_is_adopted_only_under_its_own_identity() {
        let child = Launch::new("/bin/sleep").args(["600"]).start().unwrap();
        let identity = child.identity().clone();
        let adopted = Process::adopt(&identity).unwrap().unwrap();
        let recycled = Identity { start_ticks: identity.start_ticks + 1, ..identity.clone() };
        assert!(Process::adopt(&recycled).unwrap().is_none());
        adopted.signal(Signal::KILL).unwrap();
        child.ended().await.unwrap();
        assert!(Process::adopt(&identity).unwrap().is_none());
    }
}
