//! What the machine uses.

use std::{fs, path::PathBuf};

use nodepanel_types::stats::NodeUsage;

use super::file_system;

/// Reads the machine's counters; remembers the last ones.
#[derive(Debug)]
pub struct Machine {
    data: PathBuf,
    cpus: u32,
    last: Option<(u64, u64)>,
}

impl Machine {
    /// A machine whose servers lie on the file system of `data`.
    pub fn new(data: PathBuf) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
        Self { data, cpus, last: None }
    }

    /// The usage now; processor time since the call before. Blocks for a few reads.
    pub fn usage(&mut self) -> NodeUsage {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let cpu_percent = ticks(&stat).and_then(|now| {
            let before = self.last.replace(now)?;
            let (busy, all) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a percentage")]
            (all > 0).then(|| (busy as f64 / all as f64 * 100.0 * f64::from(self.cpus)) as f32)
        });
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = |name: &str| {
            let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        let total = kib("MemTotal").unwrap_or(0).saturating_mul(1_024);
        let available = kib("MemAvailable").unwrap_or(0).saturating_mul(1_024);
        let (disk_total_bytes, disk_used_bytes) = file_system(&self.data).unwrap_or((0, 0));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        NodeUsage {
            cpus: self.cpus,
            cpu_percent,
            load_1m: load.split(' ').next().and_then(|load| load.parse().ok()),
            memory_total_bytes: total,
            memory_used_bytes: total.saturating_sub(available),
            disk_total_bytes,
            disk_used_bytes,
        }
    }
}

/// Busy and all ticks of the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_ascii_whitespace().take(8).filter_map(|field| field.parse().ok()).collect();
    let all: u64 = fields.iter().sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    (fields.len() == 8).then(|| (all.saturating_sub(idle), all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_stat_is_busy_and_idle() {
        assert_eq!(ticks("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1"), Some((30, 100)));
        assert_eq!(ticks("intr 1"), None);
    }

    #[test]
    fn this_machine_has_memory_and_a_disk() {
        let mut machine = Machine::new(PathBuf::from("/"));
        let first = machine.usage();
        assert_eq!(first.cpu_percent, None);
        assert!(first.memory_total_bytes > first.memory_used_bytes && first.disk_total_bytes > 0);
    }
}
