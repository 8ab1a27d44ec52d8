//! An installation for one drill: the real binary, in a directory of its own, on free ports. Whatever was started is
//! stopped with it.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use nodepanel_types::api::ApiKeyCreated;
use tempfile::TempDir;

use crate::error::DrillError;

const ADMINISTRATOR: &str = "drill@localhost.localdomain";

/// A running installation.
#[derive(Debug)]
pub struct Scratch {
    binary: PathBuf,
    directory: TempDir,
    keeper: Child,
    address: SocketAddr,
}

impl Scratch {
    /// Starts one; it is not ready yet.
    pub fn start(binary: &Path) -> Result<Self, DrillError> {
        let directory =
            tempfile::Builder::new().prefix("nodepanel-drill-").tempdir().map_err(at(std::env::temp_dir()))?;
        // Game servers run as users of their own and must be able to come here.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).map_err(at(directory.path()))?;
        let (http, link) = free_addresses().map_err(|source| DrillError::Scratch { reason: source.to_string() })?;
        let data = directory.path().join("data");
        fs::create_dir(&data).map_err(at(&data))?;
        let config = data.join("nodepanel.toml");
        let text = format!("[http]\nlisten = \"{http}\"\n\n[link]\nlisten = \"{link}\"\n");
        fs::write(&config, text).map_err(at(&config))?;
        // A program of its own: a drill may put another in its place.
        let program = directory.path().join("nodepanel");
        fs::hard_link(binary, &program).or_else(|_| fs::copy(binary, &program).map(drop)).map_err(at(&program))?;
        let log_path = directory.path().join("up.log");
        let log = fs::File::create(&log_path).map_err(at(&log_path))?;
        let error_log = log.try_clone().map_err(at(&log_path))?;
        let keeper = command(&program, &data)
            .arg("up")
            .env("NODEPANEL_ADMIN_EMAIL", ADMINISTRATOR)
            .env("NODEPANEL_ADMIN_PASSWORD", "only for a drill, and not reachable from elsewhere")
            // A Ctrl-C for this program must not end it before it was asked to stop its game servers.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log)
            .spawn()
            .map_err(at(&program))?;
        Ok(Self { binary: binary.to_owned(), directory, keeper, address: http })
    }

    /// Where its API is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The binary that it was made from, which stays as it is.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Begins a command of its command line, whose output nobody reads.
    pub fn begin(&self, arguments: &[&OsStr]) -> Result<Child, DrillError> {
        command(&self.binary, &self.data_dir())
            .args(arguments)
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
        command(&self.binary, &self.data_dir()).args(arguments).output().map_err(at(&self.binary))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let stopped = self.ask(&["stop", "--all"]).is_ok_and(|output| output.status.success());
        if !stopped {
            eprintln!("The scratch installation in {} did not stop when asked.", self.directory.path().display());
            let _ = self.keeper.kill();
        }
        let _ = self.keeper.wait();
    }
}

/// The binary, told where its data is and asked about no other installation.
fn command(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    for name in ["NODEPANEL_URL", "NODEPANEL_TOKEN", "NODEPANEL_DATA_DIR"] {
        command.env_remove(name);
    }
    command.arg("--data-dir").arg(data);
    command
}

/// Two addresses that nobody listens on.
fn free_addresses() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}

fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> DrillError {
    let path = path.into();
    move |source| DrillError::File { path, source }
}
