//! An installation for one drill: the real binary, in a directory of its own, on free ports. Whatever was started is
//! stopped with it.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
};

use nodepanel_supervise::process::{Process, Signal};
use nodepanel_types::api::ApiKeyCreated;
use tempfile::TempDir;

use super::{
    ground::{Ground, Prepared},
    processes,
};
use crate::error::DrillError;

const ADMINISTRATOR: &str = "drill@localhost.localdomain";
const PASSWORD: &str = "only for a drill, and not reachable from elsewhere";

/// A running installation.
#[derive(Debug)]
pub struct Scratch {
    binary: PathBuf,
    ground: Prepared,
    directory: TempDir,
    keeper: Mutex<Child>,
    address: SocketAddr,
}

impl Scratch {
    /// Starts one; it is not ready yet.
    pub fn start(binary: &Path, ground: Ground) -> Result<Self, DrillError> {
        let directory = directory("nodepanel-drill-")?;
        let (http, link) = free_addresses().map_err(|source| DrillError::Scratch { reason: source.to_string() })?;
        let data = directory.path().join("data");
        fs::create_dir(&data).map_err(at(&data))?;
        let ground = ground.prepare(directory.path(), &data, room(binary)?)?;
        let config = data.join("nodepanel.toml");
        let text = format!("[http]\nlisten = \"{http}\"\n\n[link]\nlisten = \"{link}\"\n");
        fs::write(&config, text).map_err(at(&config))?;
        // A program of its own: a drill may put another in its place.
        let program = directory.path().join("nodepanel");
        fs::hard_link(binary, &program).or_else(|_| fs::copy(binary, &program).map(drop)).map_err(at(&program))?;
        let keeper = Mutex::new(up(&directory, &ground)?);
        Ok(Self { binary: binary.to_owned(), ground, directory, keeper, address: http })
    }

    /// What it stands on.
    pub const fn ground(&self) -> &Prepared {
        &self.ground
    }

    /// What its administrator signs in with: the address and the password.
    pub const fn administrator() -> (&'static str, &'static str) {
        (ADMINISTRATOR, PASSWORD)
    }

    /// Kills its keeper with SIGKILL.
    pub fn kill_keeper(&self) -> Result<(), DrillError> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.kill().and_then(|()| keeper.wait()).map_err(at(&self.binary))?;
        Ok(())
    }

    /// Starts it again after its keeper was killed.
    pub fn start_again(&self) -> Result<(), DrillError> {
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = up(&self.directory, &self.ground)?;
        Ok(())
    }

    /// Where its API is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The binary that it was made from, which stays as it is.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Begins a command of its command line, whose output nobody reads. It ends with what is returned.
    pub fn begin(&self, arguments: &[&OsStr]) -> Result<tokio::process::Child, DrillError> {
        tokio::process::Command::from(self.command())
            .args(arguments)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(at(&self.binary))
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("up.log")).unwrap_or_default()
    }

    /// A new API key of its administrator.
    pub fn token(&self) -> Result<String, DrillError> {
        let output = self.ask(&["token", "create", "--user", ADMINISTRATOR, "--json"])?;
        let created: ApiKeyCreated = serde_json::from_slice(&output.stdout).map_err(|_| DrillError::Scratch {
            reason: format!("it makes no API key: {}", String::from_utf8_lossy(&output.stderr)),
        })?;
        Ok(created.token)
    }

    fn ask(&self, arguments: &[&str]) -> Result<Output, DrillError> {
        self.command().args(arguments).output().map_err(at(&self.binary))
    }

    fn command(&self) -> Command {
        let mut command = command(&self.binary, &self.data_dir());
        self.ground.tell(&mut command);
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let stopped = self.ask(&["stop", "--all"]).is_ok_and(|output| output.status.success());
        if !stopped {
            eprintln!("The scratch installation in {} did not stop when asked.", self.directory.path().display());
            let _ = self.kill_keeper();
        }
        let _ = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
        // Nothing of it may stay, least of all on a disk that is taken away: also games that no agent knew any more.
        // Parents come before their children.
        for pid in processes::of(&self.data_dir()) {
            if let Ok(Some(process)) = Process::open(pid) {
                let _ = process.signal(Signal::KILL);
            }
        }
    }
}

/// What an installation needs on its disk: itself, twice while it is replaced, and 64 MiB.
fn room(binary: &Path) -> Result<u64, DrillError> {
    Ok(fs::metadata(binary).map_err(at(binary))?.len() * 2 + 64 * 1024 * 1024)
}

/// A directory that is thrown away.
pub(super) fn directory(prefix: &str) -> Result<TempDir, DrillError> {
    let directory = tempfile::Builder::new().prefix(prefix).tempdir().map_err(at(std::env::temp_dir()))?;
    // Game servers run as users of their own and must be able to come here.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).map_err(at(directory.path()))?;
    Ok(directory)
}

/// Starts the installation in `directory`.
fn up(directory: &TempDir, ground: &Prepared) -> Result<Child, DrillError> {
    let program = directory.path().join("nodepanel");
    let log_path = directory.path().join("up.log");
    let log = fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(at(&log_path))?;
    let error_log = log.try_clone().map_err(at(&log_path))?;
    let mut up = command(&program, &directory.path().join("data"));
    ground.tell(&mut up);
    up.arg("up")
        .env("NODEPANEL_ADMIN_EMAIL", ADMINISTRATOR)
        .env("NODEPANEL_ADMIN_PASSWORD", PASSWORD)
        // A Ctrl-C for this program must not end it before it was asked to stop its game servers.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(error_log)
        .spawn()
        .map_err(at(&program))
}

/// The binary, told where its data is and asked about no other installation.
pub(super) fn command(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    of_nobody_else(&mut command);
    command.arg("--data-dir").arg(data);
    command
}

/// Keeps what the environment says of another installation from a command.
pub(super) fn of_nobody_else(command: &mut Command) {
    for name in ["NODEPANEL_URL", "NODEPANEL_TOKEN", "NODEPANEL_DATA_DIR"] {
        command.env_remove(name);
    }
}

/// Two addresses that nobody listens on.
fn free_addresses() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}

pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> DrillError {
    let path = path.into();
    move |source| DrillError::File { path, source }
}
