//! The machine that figures were measured on. Without it they mean nothing.

use std::fmt;
use std::process::Command;

use serde::Serialize;

/// What a reader needs to compare figures.
#[derive(Debug, Serialize)]
pub struct Machine {
    cpus: usize,
    cpu_model: Option<String>,
    memory_mib: Option<u64>,
    kernel: Option<String>,
    rustc: Option<String>,
    commit: Option<String>,
}

impl Machine {
    /// This one. What cannot be found out is left out.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu_model: field(&read("/proc/cpuinfo"), "model name"),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal").and_then(|total| mebibytes(&total)),
            kernel: Some(read("/proc/sys/kernel/osrelease").trim().to_owned()).filter(|kernel| !kernel.is_empty()),
            rustc: line_of("rustc", &["--version"]),
            commit: line_of("git", &["describe", "--always", "--dirty"]),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_unknown = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".into());
        write!(f, "{} x {}", self.cpus, or_unknown(&self.cpu_model))?;
        if let Some(memory) = self.memory_mib {
            write!(f, ", {memory} MiB")?;
        }
        write!(f, ", Linux {}, {}", or_unknown(&self.kernel), or_unknown(&self.rustc))?;
        write!(f, ", commit {}", or_unknown(&self.commit))
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// `4015276 kB` in MiB.
fn mebibytes(kibibytes: &str) -> Option<u64> {
    Some(kibibytes.split(' ').next()?.parse::<u64>().ok()? / 1024)
}

fn line_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_understood() {
        let meminfo = "MemTotal:        4015276 kB\nMemFree: 1 kB\n";
        assert_eq!(field(meminfo, "MemTotal").as_deref().and_then(mebibytes), Some(3921));
        assert_eq!(field("x", "MemTotal"), None);
    }
}
