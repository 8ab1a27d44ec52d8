//! Signals, and what runs for an installation. Only processes that name the installation's own directory, or work in
//! it, are ever touched.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{pause, wait_for};

/// Sends a signal; a process that is gone already is fine.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}

/// SIGKILL.
pub fn kill9(pid: u32) {
    signal(pid, Signal::KILL);
}

/// Whether a process runs; one that ended and waits for its parent does not.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name may hold anything, so the state is what follows its closing bracket.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Everything that runs for the installation in `directory`, games included.
pub fn of_installation(directory: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let path = entry.path();
        let named = fs::read(path.join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| is_below(word, directory)));
        let inside = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
        if pid != std::process::id() && (named || inside) && is_alive(pid) {
            found.push(pid);
        }
    }
    found
}

fn is_below(word: &[u8], directory: &Path) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| PathBuf::from(word).starts_with(directory))
}

/// Kills everything of an installation. What watches goes first, so that nothing is started again.
pub fn end_installation(directory: &Path, keeper: Option<u32>) {
    keeper.into_iter().for_each(kill9);
    wait_for("the end of everything that a test started", Duration::from_secs(10), || {
        let left = of_installation(directory);
        left.iter().copied().for_each(kill9);
        pause(Duration::from_millis(5));
        left.is_empty().then_some(())
    });
}
