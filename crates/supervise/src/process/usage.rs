//! What a process holds, from `/proc`.

use std::fs;

/// What one process holds. `None` is what cannot be read: it has ended, or belongs to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Memory that no file backs, in bytes, swapped-out pages included.
    pub memory: Option<u64>,
    /// Open descriptors.
    pub files: Option<u64>,
}

impl Usage {
    /// Reads it. Takes some ten microseconds, and more with thousands of descriptors.
    pub fn read(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok();
        let files = fs::read_dir(format!("/proc/{pid}/fd")).ok();
        Self {
            memory: status.as_deref().and_then(own_memory),
            files: files.map(|entries| u64::try_from(entries.count()).unwrap_or(u64::MAX)),
        }
    }
}

/// `RssAnon` and `VmSwap`, as proc(5) describes them.
fn own_memory(status: &str) -> Option<u64> {
    let kib = |field: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some((kib("RssAnon:")? + kib("VmSwap:").unwrap_or(0)) * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_takes_shows() {
        let before = Usage::read(std::process::id());
        let memory = vec![1_u8; 64 * 1024 * 1024];
        let files: Vec<_> = (0..32).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = Usage::read(std::process::id());
        assert!(after.memory.unwrap() >= before.memory.unwrap() + 60 * 1024 * 1024, "{before:?} {after:?}");
        assert!(after.files.unwrap() >= before.files.unwrap() + 30, "{before:?} {after:?}");
        drop((memory, files));
        assert_eq!(Usage::read(4_194_304), Usage::default());
    }
}
