//! The group of one server: limits, processes, usage, removal.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
};

use nodepanel_types::{ServerId, wire::Limits};

use super::{Controller, Hierarchies, TrafficCounter};

/// The accounting period of processor limits, in microseconds.
const CPU_PERIOD_US: u64 = 100_000;

/// The group of one server.
#[derive(Debug, Clone)]
pub struct Group {
    unified: Option<PathBuf>,
    legacy: Vec<(Controller, PathBuf)>,
    beside: Option<PathBuf>,
}

impl Group {
    /// Names the group of `server`; makes nothing. `None` when there are no hierarchies.
    pub fn of(hierarchies: &Hierarchies, server: ServerId) -> Option<Self> {
        let id = server.to_string();
        hierarchies.is_usable().then(|| Self {
            unified: hierarchies.unified.as_ref().map(|base| base.join(&id)),
            legacy: hierarchies.legacy.iter().map(|(controller, base)| (*controller, base.join(&id))).collect(),
            beside: hierarchies.beside.as_ref().map(|base| base.join(&id)),
        })
    }

    /// Makes the group anew, with these limits and its counters at zero. Blocks.
    pub fn create(&self, limits: &Limits) -> io::Result<()> {
        // Counters of an earlier run would be blamed on this one. A group with a process in it cannot go and stays.
        let _ = self.remove_empty();
        for directory in self.each() {
            fs::create_dir_all(directory)?;
        }
        // Before there is a process, so that nothing of it is missed. Where it cannot be, the node's warnings say so.
        drop(self.traffic());
        self.limit(limits)
    }

    /// The counter of its traffic, attached if need be; `None` where the kernel cannot count, or does not let us.
    /// Blocks for some system calls.
    pub fn traffic(&self) -> Option<TrafficCounter> {
        TrafficCounter::of(self.unified.as_ref().or(self.beside.as_ref())?).ok()
    }

    /// Sets the limits; also those of a group with processes in it. Blocks.
    pub fn limit(&self, limits: &Limits) -> io::Result<()> {
        let memory = limits.memory_mib.map(|mib| u64::from(mib) * 1024 * 1024);
        let quota = limits.cpu_percent.map(|percent| (u64::from(percent) * CPU_PERIOD_US / 100).max(1_000));
        let pids = limits.pids.map_or_else(|| "max".to_owned(), |pids| pids.to_string());
        if let Some(group) = &self.unified {
            let max = |value: Option<u64>| value.map_or_else(|| "max".to_owned(), |value| value.to_string());
            fs::write(group.join("memory.max"), max(memory))?;
            optional(fs::write(group.join("memory.swap.max"), if memory.is_some() { "0" } else { "max" }))?;
            optional(fs::write(group.join("memory.oom.group"), "1"))?;
            fs::write(group.join("cpu.max"), format!("{} {CPU_PERIOD_US}", max(quota)))?;
            fs::write(group.join("pids.max"), pids)?;
            return Ok(());
        }
        for (controller, group) in &self.legacy {
            match controller {
                Controller::Memory => limit_legacy_memory(group, memory)?,
                Controller::Cpu => {
                    fs::write(group.join("cpu.cfs_period_us"), CPU_PERIOD_US.to_string())?;
                    let quota = quota.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
                    fs::write(group.join("cpu.cfs_quota_us"), quota)?;
                }
                Controller::Pids => fs::write(group.join("pids.max"), &pids)?,
                Controller::CpuAccount => {}
            }
        }
        Ok(())
    }

    /// The directories that a process must join, one per hierarchy.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self.each().cloned().collect();
        directories.sort();
        directories.dedup();
        directories
    }

    /// The processes in the group. Blocks.
    pub fn pids(&self) -> Vec<u32> {
        let Some(directory) = self.each().next() else { return Vec::new() };
        let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Sends SIGKILL to every process in the group. Blocks.
    pub fn kill(&self) {
        // Version 2 kills at one blow, where the kernel has it; a game of an earlier agent may be in version 1 alone.
        for group in self.unified.iter().chain(&self.beside) {
            let _ = fs::write(group.join("cgroup.kill"), "1");
        }
        for pid in self.pids() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }

    /// Removes the group; fails while a process is in it. Blocks.
    pub fn remove_empty(&self) -> io::Result<()> {
        let mut result = Ok(());
        for directory in self.each() {
            match fs::remove_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => result = Err(error),
                _ => {}
            }
        }
        result
    }

    /// Opens the counters of the group, to be read every second. Blocks.
    pub fn sensor(&self) -> Option<Sensor> {
        if let Some(group) = &self.unified {
            return Some(Sensor {
                cpu: Counter::CpuStat(File::open(group.join("cpu.stat")).ok()?),
                memory: File::open(group.join("memory.current")).ok()?,
                memory_stat: File::open(group.join("memory.stat")).ok()?,
                inactive: "inactive_file",
            });
        }
        let memory = self.legacy_directory(Controller::Memory)?;
        let account = self.legacy_directory(Controller::CpuAccount)?;
        Some(Sensor {
            cpu: Counter::Nanoseconds(File::open(account.join("cpuacct.usage")).ok()?),
            memory: File::open(memory.join("memory.usage_in_bytes")).ok()?,
            memory_stat: File::open(memory.join("memory.stat")).ok()?,
            inactive: "total_inactive_file",
        })
    }

    fn legacy_directory(&self, wanted: Controller) -> Option<&PathBuf> {
        self.legacy.iter().find(|(controller, _)| *controller == wanted).map(|(_, directory)| directory)
    }

    fn each(&self) -> impl Iterator<Item = &PathBuf> {
        self.unified.iter().chain(self.legacy.iter().map(|(_, directory)| directory)).chain(&self.beside)
    }
}

fn limit_legacy_memory(group: &std::path::Path, memory: Option<u64>) -> io::Result<()> {
    let value = memory.map_or_else(|| "-1".to_owned(), |bytes| bytes.to_string());
    let limit = group.join("memory.limit_in_bytes");
    // With swap counts at least as much as without it: which of the two must be written first depends on whether the
    // limit grows or shrinks. The file does not exist where swap is not accounted.
    let with_swap = group.join("memory.memsw.limit_in_bytes");
    if memory.is_none() {
        optional(fs::write(&with_swap, &value))?;
        return fs::write(&limit, &value);
    }
    if fs::write(&limit, &value).is_err() {
        optional(fs::write(&with_swap, &value))?;
        fs::write(&limit, &value)?;
    }
    optional(fs::write(&with_swap, &value))?;
    optional(fs::write(group.join("memory.swappiness"), "0"))
}

/// A file that not every kernel has.
fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(()),
        other => other,
    }
}

/// The value of a `name value` line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The open counters of a group.
#[derive(Debug)]
pub struct Sensor {
    cpu: Counter,
    memory: File,
    memory_stat: File,
    inactive: &'static str,
}

#[derive(Debug)]
enum Counter {
    /// Version 1: `cpuacct.usage`.
    Nanoseconds(File),
    /// Version 2: `cpu.stat`, line `usage_usec`.
    CpuStat(File),
}

/// What a group has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Processor time since the group was made, in microseconds.
    pub cpu_us: u64,
    /// Memory in use, without the part of the page cache that the kernel would drop first, in bytes.
    pub memory_bytes: u64,
}

impl Sensor {
    /// Reads the counters; `None` when the group is gone. Three to four system calls, a few microseconds each.
    pub fn read(&self, buffer: &mut Vec<u8>) -> Option<Reading> {
        let cpu_us = match &self.cpu {
            Counter::Nanoseconds(file) => read(file, buffer)?.trim().parse::<u64>().ok()? / 1_000,
            Counter::CpuStat(file) => field(read(file, buffer)?, "usage_usec")?,
        };
        let used: u64 = read(&self.memory, buffer)?.trim().parse().ok()?;
        let inactive = field(read(&self.memory_stat, buffer)?, self.inactive).unwrap_or(0);
        Some(Reading { cpu_us, memory_bytes: used.saturating_sub(inactive) })
    }
}

/// Reads a file of `/sys` from its beginning, at most as much as `buffer` holds.
fn read<'a>(file: &File, buffer: &'a mut Vec<u8>) -> Option<&'a str> {
    buffer.resize(8 * 1024, 0);
    let length = rustix::io::pread(file, buffer.as_mut_slice(), 0).ok()?;
    std::str::from_utf8(buffer.get(..length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        assert_eq!(field(text, "oom_kill"), Some(3));
        assert_eq!(field(text, "oom"), None);
    }
}
