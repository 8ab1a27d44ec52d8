//! The duty of process 1: to reap what others left behind. In a container nobody else does it.

use std::fs;

use rustix::process::{Pid, WaitOptions, waitpid};

/// Reaps every ended child of the calling process but those in `known`, whose end somebody waits for.
///
/// For process 1 alone: elsewhere a child that is unknown here may be known to another part of the program.
pub fn reap_orphans(known: &[u32]) {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for children in threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok()) {
        let unknown = children.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
        for pid in unknown.filter(|pid| !known.contains(pid)) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // One that still runs is left alone by NOHANG.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
    }
}
