//! What the kernel says of processes.

use std::fs;

use anyhow::Context as _;

/// The kernel shows processor time to programs in hundredths of a second.
const MILLIS_PER_TICK: f64 = 10.0;

/// Memory of one process, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// All pages that it has in memory, those of the program's file too, which all our processes share.
    pub resident: f64,
    /// The same, each shared page divided by the number of those who share it: these add up.
    pub proportional: f64,
    /// Pages that nobody else has.
    pub private: f64,
}

impl Memory {
    /// That of a process.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
            .with_context(|| format!("the memory of process {pid} cannot be read"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1024.0
        };
        Ok(Self {
            resident: field("Rss"),
            proportional: field("Pss"),
            private: field("Private_Clean") + field("Private_Dirty"),
        })
    }
}

/// Processes whose command line has `all` of these words or pieces of words.
pub fn pids_of(all: &[&str]) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end while we look.
        let Ok(line) = fs::read_to_string(format!("/proc/{pid}/cmdline")) else { continue };
        let line = line.replace('\0', " ");
        if all.iter().all(|piece| line.contains(piece)) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Processor time that a process has used, in milliseconds (to 10 ms).
pub fn cpu_millis(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold spaces and parentheses; what follows the last one does not.
    let (_, fields) = stat.rsplit_once(')').context("/proc/<pid>/stat has another form")?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let user = fields.next().context("no utime")??;
    let system = fields.next().context("no stime")??;
    Ok((user + system) * MILLIS_PER_TICK)
}

/// How busy the machine was in the last minute.
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}
