//! One supervisor and one keeper per installation: locks that the kernel drops with their holder.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, sleep};

/// How long a dying predecessor may still hold the lock: a process that is killed between fork and exec leaves a
/// copy of its descriptors open for an instant.
const PATIENCE: Duration = Duration::from_millis(500);

/// What there can be only one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// The supervisor.
    Supervisor,
    /// The keeper, which is `nodepanel up`.
    Keeper,
}

impl Single {
    const fn file(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor.lock",
            Self::Keeper => "keeper.lock",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Supervisor => "a supervisor",
            Self::Keeper => "`nodepanel up`",
        }
    }
}

/// The lock, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct InstallationLock {
    file: File,
}

/// The lock belongs to what the descriptor refers to: whoever has a copy holds it.
impl AsFd for InstallationLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A lock that was taken by the image before this one.
impl From<OwnedFd> for InstallationLock {
    fn from(descriptor: OwnedFd) -> Self {
        Self { file: descriptor.into() }
    }
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error(
        "{} already runs for {}{}: use it, or end it with `nodepanel stop` first",
        what.name(),
        data_dir.display(),
        holder.as_deref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Held {
        /// What runs already.
        what: Single,
        /// The installation.
        data_dir: PathBuf,
        /// The pid that the holder wrote down.
        holder: Option<String>,
    },
    /// The file cannot be opened, locked or written.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl InstallationLock {
    /// Takes a lock of an installation, a file in its run directory, and writes our pid into it.
    pub async fn take(what: Single, data_dir: &Path, run_dir: &Path) -> Result<Self, LockError> {
        let path = run_dir.join(what.file());
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < deadline => sleep(PATIENCE / 25).await,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut holder = String::new();
                    let read = (&mut file).take(32).read_to_string(&mut holder);
                    let holder = read.ok().map(|_| holder.trim().to_owned()).filter(|pid| !pid.is_empty());
                    return Err(LockError::Held { what, data_dir: data_dir.to_owned(), holder });
                }
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        // The pid is for people; a full disk must not keep the supervisor from starting.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_one_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = InstallationLock::take(Single::Supervisor, dir.path(), dir.path()).await.unwrap();
        let error = InstallationLock::take(Single::Supervisor, dir.path(), dir.path()).await.unwrap_err().to_string();
        assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
        InstallationLock::take(Single::Keeper, dir.path(), dir.path()).await.unwrap();
        drop(first);
        InstallationLock::take(Single::Supervisor, dir.path(), dir.path()).await.unwrap();
    }
}
