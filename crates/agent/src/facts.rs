//! The machine, in words.

use std::fs;

use nodepanel_types::Timestamp;

use crate::stats::SocketDiagnosis;

/// What does not change while the agent runs.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The machine's own name.
    pub hostname: String,
    /// Distribution and kernel.
    pub system: String,
    /// When it was started.
    pub booted_at: Timestamp,
    /// What is weaker than it could be, besides what the runtime says.
    pub warnings: Vec<String>,
}

impl Machine {
    /// Looks at the machine, on which servers have users of their own or not. Blocks for a few reads.
    pub fn read(own_users: bool) -> Self {
        let names = rustix::system::uname();
        let hostname = names.nodename().to_string_lossy().into_owned();
        let release = names.release().to_string_lossy().into_owned();
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = pretty_name(&os_release)
            .map_or_else(|| format!("Linux {release}"), |distribution| format!("{distribution}, Linux {release}"));
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let booted_at = Timestamp::from_millis(boot_seconds(&stat).unwrap_or(0).saturating_mul(1_000));
        let warnings = vec![traffic_warning(own_users)];
        Self { hostname, system, booted_at, warnings }
    }
}

/// What cannot be said of the traffic of servers.
fn traffic_warning(own_users: bool) -> String {
    if !own_users {
        return "Network traffic of single servers is not measured, because they share the agent's user; it is shown as \
                unknown. An agent that runs as root measures it."
            .to_owned();
    }
    match SocketDiagnosis::open().and_then(|mut diagnosis| diagnosis.dump(&mut Vec::new())) {
        Ok(()) => "Network traffic is measured for servers all of whose ports are TCP. The kernel does not count the \
                   bytes of UDP by server: the traffic of servers with a UDP port is shown as unknown."
            .to_owned(),
        Err(error) => format!(
            "Network traffic of single servers is not measured, because the kernel does not tell their connections \
             ({error}); it is shown as unknown. The kernel modules inet_diag and tcp_diag may be missing."
        ),
    }
}

/// The kernel's random id of this boot; empty when it does not tell.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn pretty_name(os_release: &str) -> Option<&str> {
    os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'))
}

fn boot_seconds(stat: &str) -> Option<i64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_boot_time_are_found() {
        assert_eq!(pretty_name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), Some("Debian GNU/Linux 12"));
        assert_eq!(boot_seconds("cpu 1\nbtime 1700000000\n"), Some(1_700_000_000));
        assert!(!Machine::read(false).hostname.is_empty());
    }
}
