//! A second machine for a drill: an installation of its own that only runs game servers, joined to the one under test,
//! which can be cut off from power and started again.
//!
//! What stands for the power failure: SIGKILL to everything of that installation, keeper, supervisor, agent, shims and
//! games, from the top down, so that nobody is left to see another's end or to write it down. What stands for the next
//! boot: where that is allowed (root), its processes live in a mount namespace with a boot id of their own, another
//! after each start, and by that id the agent knows a boot; elsewhere the machine's own id stays, and the agent takes
//! the missing shims for killed ones. What is not tried: that the disk has what was synced and no more, and what
//! systemd does.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use nodepanel_supervise::process::{Process, Signal};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{GLANCE, PATIENCE, processes, scratch};
use crate::error::DrillError;

/// Binds a file over the kernel's boot id, then becomes the rest of the arguments.
const WITH_BOOT_ID: &str = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";

/// A machine.
#[derive(Debug)]
pub struct Host {
    binary: PathBuf,
    directory: TempDir,
    keeper: Mutex<Option<Child>>,
}

impl Host {
    /// A machine that joins by `token` when it is started.
    pub fn joining(binary: &Path, token: &str) -> Result<Self, DrillError> {
        let directory = scratch::directory("nodepanel-drill-host-")?;
        let host = Self { binary: binary.to_owned(), directory, keeper: Mutex::new(None) };
        let joined = scratch::command(binary, &host.data_dir())
            .args(["agent", "join", token])
            .output()
            .map_err(scratch::at(binary))?;
        if joined.status.success() {
            return Ok(host);
        }
        Err(DrillError::Scratch { reason: String::from_utf8_lossy(&joined.stderr).into_owned() })
    }

    /// Its data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts it, as its init would after a boot.
    pub fn start(&self) -> Result<(), DrillError> {
        let log_path = self.directory.path().join("up.log");
        let log = fs::OpenOptions::new().create(true).append(true).open(&log_path).map_err(scratch::at(&log_path))?;
        let error_log = log.try_clone().map_err(scratch::at(&log_path))?;
        let mut command = if rustix::process::geteuid().is_root() {
            let boot_id = self.directory.path().join("boot_id");
            // The kernel gives out another of the same form whenever it is asked.
            let fresh = Path::new("/proc/sys/kernel/random/uuid");
            let text = fs::read_to_string(fresh).map_err(scratch::at(fresh))?;
            let _ = fs::remove_file(&boot_id);
            fs::write(&boot_id, text).map_err(scratch::at(&boot_id))?;
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", WITH_BOOT_ID]).arg(boot_id).arg(&self.binary);
            scratch::of_nobody_else(&mut command);
            command.arg("--data-dir").arg(self.data_dir());
            command
        } else {
            scratch::command(&self.binary, &self.data_dir())
        };
        let keeper = command
            .arg("up")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log)
            .spawn()
            .map_err(scratch::at(&self.binary))?;
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
        Ok(())
    }

    /// Cuts it off from power: returns when nothing of it is left.
    pub async fn power_off(&self) -> Result<(), DrillError> {
        let begun = Instant::now();
        let mut quiet = 0;
        while quiet < 3 {
            let found = processes::of(&self.data_dir());
            quiet = if found.is_empty() { quiet + 1 } else { 0 };
            if begun.elapsed() > PATIENCE {
                let what = format!("the end of {} processes of a machine without power", found.len());
                return Err(DrillError::Late { what, waited: begun.elapsed() });
            }
            for pid in found {
                if let Some(process) = Process::open(pid)? {
                    process.signal(Signal::KILL)?;
                }
            }
            if let Some(keeper) = &mut *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) {
                let _ = keeper.try_wait();
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("up.log")).unwrap_or_default()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for _ in 0..3 {
            for pid in processes::of(&self.data_dir()) {
                if let Ok(Some(process)) = Process::open(pid) {
                    let _ = process.signal(Signal::KILL);
                }
            }
        }
        if let Some(keeper) = &mut *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}
