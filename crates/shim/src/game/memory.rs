//! Whether the kernel ended a process of the game for lack of memory.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Counts the kernel's out-of-memory kills in a game's control groups, since it was made.
#[derive(Debug)]
pub(crate) struct OomWatch {
    cgroups: Vec<PathBuf>,
    before: u64,
}

impl OomWatch {
    pub(crate) fn new(cgroups: &[PathBuf]) -> Self {
        let before = kills(cgroups);
        Self { cgroups: cgroups.to_vec(), before }
    }

    /// Goes on with a count that was begun by the image before this one.
    pub(crate) fn resume(cgroups: &[PathBuf], before: u64) -> Self {
        Self { cgroups: cgroups.to_vec(), before }
    }

    /// The count at the beginning.
    pub(crate) const fn before(&self) -> u64 {
        self.before
    }

    /// The limit in bytes, when the kernel has killed for it.
    pub(crate) fn limit_if_killed(&self) -> Option<u64> {
        (kills(&self.cgroups) > self.before).then(|| self.cgroups.iter().find_map(|dir| limit(dir)).unwrap_or_default())
    }
}

fn kills(cgroups: &[PathBuf]) -> u64 {
    // `memory.events` on v2, `memory.oom_control` on v1; both have lines of a name and a number.
    let files = cgroups.iter().flat_map(|dir| [dir.join("memory.events"), dir.join("memory.oom_control")]);
    files
        .filter_map(|path| fs::read_to_string(path).ok())
        .filter_map(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("oom_kill "))
                .and_then(|count| count.trim().parse::<u64>().ok())
        })
        .sum()
}

fn limit(dir: &Path) -> Option<u64> {
    ["memory.max", "memory.limit_in_bytes"]
        .iter()
        .find_map(|name| fs::read_to_string(dir.join(name)).ok()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_from_the_beginning_on() {
        let dir = tempfile::tempdir().unwrap();
        let cgroups = [dir.path().to_owned()];
        let events = |kills| format!("low 0\nhigh 0\nmax 9\noom 1\noom_kill {kills}\noom_group_kill 7\n");
        fs::write(dir.path().join("memory.events"), events(2)).unwrap();
        fs::write(dir.path().join("memory.max"), "67108864\n").unwrap();
        let watch = OomWatch::new(&cgroups);
        assert_eq!(watch.limit_if_killed(), None);
        fs::write(dir.path().join("memory.events"), events(3)).unwrap();
        assert_eq!(watch.limit_if_killed(), Some(67_108_864));
    }
}
