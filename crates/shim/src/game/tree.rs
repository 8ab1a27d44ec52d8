//! Everything that a game started.
//!
//! A shim is a subreaper: whatever its game starts, also what forks twice and leaves its session, stays below the
//! shim, and becomes its child at the latest when its own parent ends. So the shim's descendants are the game, and
//! when the shim has no child left, nothing of the game is left. The control group's own kill is used where there
//! is one (v2), because it is atomic.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use nodepanel_types::ServerId;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};

/// The variable that marks every process of a game with its server.
pub(crate) const MARK: &str = "NODEPANEL_SERVER";

/// How often the tree is listed again when it grows while it is being stopped.
const ROUNDS: usize = 8;

/// The processes below the calling one.
#[derive(Debug)]
pub(crate) struct Tree {
    cgroups: Vec<PathBuf>,
}

impl Tree {
    /// Makes the calling process the one that orphans of the game come to.
    pub(crate) fn adopt_orphans(cgroups: &[PathBuf]) -> rustix::io::Result<Self> {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Self { cgroups: cgroups.to_vec() })
    }

    /// SIGKILL to all of it. To be repeated until [`Tree::reap`] says that nothing is left: what is just being
    /// forked may slip through one round.
    pub(crate) fn kill(&self) {
        kill_cgroups(&self.cgroups);
        // All are stopped before any is killed, so that none can fork an answer to the death of another.
        let mut seen = BTreeSet::new();
        for _ in 0..ROUNDS {
            let now = descendants(std::process::id());
            let fresh: Vec<u32> = now.difference(&seen).copied().collect();
            if fresh.is_empty() {
                break;
            }
            send(&fresh, Signal::STOP);
            seen.extend(fresh);
        }
        send(&seen, Signal::KILL);
    }

    /// A signal to all of it, once.
    pub(crate) fn signal(signal: Signal) {
        send(&descendants(std::process::id()), signal);
    }

    /// The ids of all of it.
    pub(crate) fn pids() -> BTreeSet<u32> {
        descendants(std::process::id())
    }

    /// Collects those that have ended; `false` once there is no process left.
    pub(crate) fn reap(mut ended: impl FnMut(u32, WaitStatus)) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => ended(pid.as_raw_nonzero().get().unsigned_abs(), status),
                Ok(None) | Err(rustix::io::Errno::INTR) => return true,
                Err(_) => return false,
            }
        }
    }
}

/// Kills what is left of a game whose shim was killed: everything in its control groups, and everything that
/// carries its mark in the environment. Returns how many processes were found; to be repeated until there are none.
///
/// Must not be called while the server's shim lives (see [`crate::place::is_alive`]).
pub fn clean_up(server: ServerId, cgroups: &[PathBuf]) -> usize {
    kill_cgroups(cgroups);
    let mark = format!("{MARK}={server}");
    let own = std::process::id();
    let mut found: BTreeSet<u32> = cgroups.iter().flat_map(|dir| members(dir)).collect();
    found.extend(numbered_entries(Path::new("/proc")).filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    }));
    found.remove(&own);
    send(&found, Signal::STOP);
    send(&found, Signal::KILL);
    found.len()
}

fn kill_cgroups(cgroups: &[PathBuf]) {
    for dir in cgroups {
        // Absent on v1 and before Linux 5.14: then the processes are killed one by one.
        let _ = fs::OpenOptions::new().write(true).open(dir.join("cgroup.kill")).and_then(|mut file| {
            use std::io::Write as _;
            file.write_all(b"1")
        });
    }
}

fn members(cgroup: &Path) -> Vec<u32> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect()
}

fn send<'a>(pids: impl IntoIterator<Item = &'a u32>, signal: Signal) {
    for pid in pids {
        if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
            // ESRCH: it was faster.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Everything below `root`, without it.
fn descendants(root: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut left = vec![root];
    while let Some(pid) = left.pop() {
        for child in children(pid) {
            if found.insert(child) {
                left.push(child);
            }
        }
    }
    found
}

/// The children of every thread of `pid`.
fn children(pid: u32) -> Vec<u32> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let mut children = Vec::new();
    for task in numbered_entries(&tasks) {
        match fs::read_to_string(tasks.join(task.to_string()).join("children")) {
            Ok(text) => children.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok())),
            // A kernel without that file (CONFIG_PROC_CHILDREN): every process is asked for its parent.
            Err(_) if Path::new("/proc/self").exists() && !has_children_files() => return children_by_parent(pid),
            Err(_) => {}
        }
    }
    children
}

fn has_children_files() -> bool {
    Path::new(&format!("/proc/self/task/{}/children", std::process::id())).exists()
}

fn children_by_parent(parent: u32) -> Vec<u32> {
    numbered_entries(Path::new("/proc")).filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in parentheses and may hold anything.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn numbered_entries(dir: &Path) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}
