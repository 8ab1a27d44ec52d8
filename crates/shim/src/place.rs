//! The shim's own directory: what lies where, and how it is reached.
//!
//! | file        | what                                                                        |
//! |-------------|-----------------------------------------------------------------------------|
//! | `shim.sock` | the socket                                                                  |
//! | `shim.lock` | locked for as long as a shim lives                                          |
//! | `shim.json` | who the shim and its game are, for cleaning up after a shim that was killed |
//! | `exit.json` | how the game ended ([`crate::protocol::Ended`])                             |
//!
//! A socket's address has room for 107 bytes, a data directory may lie deeper: sockets are therefore bound and
//! connected through `/proc/self/fd/<directory>/shim.sock`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::fd::{AsRawFd as _, OwnedFd, RawFd},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use nodepanel_supervise::process::Identity;
use rustix::{
    fs::{FlockOperation, Mode, OFlags, fcntl_lock},
    io::{Errno, FdFlags},
    process::{Flock, FlockType, fcntl_getlk},
};
use serde::{Deserialize, Serialize};

use crate::protocol::Ended;

/// The name of the socket.
pub const SOCKET: &str = "shim.sock";
/// The name of the lock.
pub const LOCK: &str = "shim.lock";
/// The name of the identity file.
pub const IDENTITY: &str = "shim.json";
/// The name of the exit file.
pub const EXIT: &str = "exit.json";

/// How the game of the shim in `state_dir` ended, if it has: readable when the shim is long gone. An agent removes
/// the file (with [`forget_exit`]) once it has recorded it.
pub fn read_exit(state_dir: &Path) -> io::Result<Option<Ended>> {
    read_json(&state_dir.join(EXIT))
}

/// Removes the exit file; no error when there is none.
pub fn forget_exit(state_dir: &Path) -> io::Result<()> {
    match fs::remove_file(state_dir.join(EXIT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a shim lives in `state_dir`.
///
/// A shim holds a lock from its first step to its last. Asking takes no lock itself, so that it never stands in the way
/// of a shim that begins. A shim whose process runs lives also without the lock: it may be of a version that locks in
/// another way, and who takes it for dead kills its game.
pub fn is_alive(state_dir: &Path) -> io::Result<bool> {
    let locked = match File::open(state_dir.join(LOCK)) {
        Ok(file) => fcntl_getlk(&file, &Flock::from(FlockType::ReadLock))?.is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if locked {
        return Ok(true);
    }
    match read_keeper(state_dir)? {
        Some(keeper) => keeper.shim.is_running().map_err(io::Error::other),
        None => Ok(false),
    }
}

/// The lock of a shim's directory, held until the process ends.
///
/// It belongs to the process and the file: the kernel drops it as soon as the process closes any descriptor of the file.
#[derive(Debug)]
pub(crate) enum Lock {
    /// Taken by this image.
    Taken(File),
    /// Taken by an earlier image of this process, under a descriptor that stays open for as long as the process lives.
    Kept(RawFd),
}

impl Lock {
    /// Lets the lock outlive an `execve`; returns the descriptor that must then stay open.
    pub(crate) fn keep(&self) -> io::Result<RawFd> {
        match self {
            // Whatever is started meanwhile closes what it inherits, and does not inherit the lock.
            Self::Taken(file) => {
                rustix::io::fcntl_setfd(file, FdFlags::empty())?;
                Ok(file.as_raw_fd())
            }
            Self::Kept(descriptor) => Ok(*descriptor),
        }
    }
}

/// Takes the lock of `state_dir`; `None` when another shim holds it.
pub(crate) fn lock(state_dir: &Path) -> io::Result<Option<Lock>> {
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(state_dir.join(LOCK))?;
    // A lock of the process, not of the file: the file must be opened only once in it.
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock::Taken(file))),
        Err(Errno::AGAIN | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Puts the game's end on the disk.
pub(crate) fn write_exit(state_dir: &Path, ended: &Ended) -> io::Result<()> {
    write_durably(&state_dir.join(EXIT), &serde_json::to_vec(ended)?)
}

/// Records who the shim and its game are. Not synced: after the machine went down both are gone anyway.
pub(crate) fn write_keeper(state_dir: &Path, keeper: &Keeper) -> io::Result<()> {
    let draft = state_dir.join("shim.json.new");
    fs::write(&draft, serde_json::to_vec(keeper)?)?;
    fs::rename(draft, state_dir.join(IDENTITY))
}

/// Removes the socket, so that nobody waits at it.
pub(crate) fn remove_socket(state_dir: &Path) {
    // Whoever cannot remove it leaves a socket that refuses connections, which is as good.
    let _ = fs::remove_file(state_dir.join(SOCKET));
}

/// A way to the socket in a directory that may have a long path.
pub(crate) struct SocketPlace {
    dir: OwnedFd,
}

impl SocketPlace {
    /// Opens the directory.
    pub(crate) fn open(state_dir: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { dir: rustix::fs::open(state_dir, flags, Mode::empty())? })
    }

    /// A short path, valid in this process for as long as `self` lives.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", self.dir.as_raw_fd()))
    }
}

/// Who a shim and its game are; the content of `shim.json`. The identities are empty until they are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// The shim.
    pub shim: Identity,
    /// The game's first process.
    pub game: Option<Identity>,
}

/// The last shim that lived in `state_dir`, and its game.
pub fn read_keeper(state_dir: &Path) -> io::Result<Option<Keeper>> {
    read_json(&state_dir.join(IDENTITY))
}

/// Writes a file so that a reader sees the old one or the new one, whole; what is left of it when the machine goes
/// down is not said.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, false)
}

/// Writes a file so that after a crash of the machine there is the old one or the new one, whole.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, true)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_all()?;
    }
    fs::rename(&draft, path)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
