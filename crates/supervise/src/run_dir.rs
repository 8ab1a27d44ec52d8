//! The directory in which the processes of one installation find each other: `<data_dir>/run`, mode 0700.
//!
//! Sockets in it are reached through `/proc/self/fd/<directory>/<name>`, because the address of a Unix socket holds
//! only 107 bytes and data directories may have longer paths.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

/// The name of the supervisor's control socket in the directory.
pub const CONTROL_SOCKET: &str = "supervisor.sock";

/// The open directory `<data_dir>/run`.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    directory: File,
}

impl RunDir {
    /// Where the directory is for an installation.
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join("run")
    }

    /// Opens the directory of an installation, creating it (and the data directory) where it is missing and
    /// closing it to other users.
    pub fn create(data_dir: &Path) -> io::Result<Self> {
        let path = Self::path_in(data_dir);
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        Self::open(path)
    }

    /// Opens an existing directory by its own path.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        // Absolute, because it is handed to processes with another working directory.
        let path = fs::canonicalize(path)?;
        let directory = File::open(&path)?;
        Ok(Self { path, directory })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The absolute path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Listens on a socket of this name, replacing one that a dead process left. The caller holds the lock that
    /// makes it the only one to listen here.
    pub fn listen(&self, name: &str) -> io::Result<UnixListener> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(self.short(name))?;
        fs::set_permissions(self.file(name), fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// Connects to a socket of this name.
    pub async fn connect(&self, name: &str) -> io::Result<UnixStream> {
        UnixStream::connect(self.short(name)).await
    }

    fn short(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_works_at_a_path_longer_than_its_address_allows() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("x".repeat(120)).join("y".repeat(120));
        let run = RunDir::create(&data_dir).unwrap();
        assert!(run.file("a.sock").as_os_str().len() > 240);
        let listener = run.listen("a.sock").unwrap();
        let again = RunDir::open(RunDir::path_in(&data_dir)).unwrap();
        let (connected, accepted) = tokio::join!(again.connect("a.sock"), listener.accept());
        connected.unwrap();
        accepted.unwrap();
        drop(listener);
        run.listen("a.sock").unwrap();
    }

    #[tokio::test]
    async fn nobody_else_can_enter() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(dir.path()).unwrap();
        let _listener = run.listen("a.sock").unwrap();
        assert_eq!(fs::metadata(run.path()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(run.file("a.sock")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
