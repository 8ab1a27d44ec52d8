//! The machine, in words.

use std::fs;

use nodepanel_types::Timestamp;

use crate::{
    cgroup::{Hierarchies, TrafficCounter},
    stats::SocketDiagnosis,
};

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
    /// Looks at the machine, on which servers have these groups, and users of their own or not. Blocks for a few reads.
    pub fn read(groups: &Hierarchies, own_users: bool) -> Self {
        let names = rustix::system::uname();
        let hostname = names.nodename().to_string_lossy().into_owned();
        let release = names.release().to_string_lossy().into_owned();
        let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = pretty_name(&os_release)
            .map_or_else(|| format!("Linux {release}"), |distribution| format!("{distribution}, Linux {release}"));
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let booted_at = Timestamp::from_millis(boot_seconds(&stat).unwrap_or(0).saturating_mul(1_000));
        let warnings = traffic_warning(groups, own_users).into_iter().collect();
        Self { hostname, system, booted_at, warnings }
    }
}

/// What cannot be said of the traffic of servers, and why; `None` when all of it can.
fn traffic_warning(groups: &Hierarchies, own_users: bool) -> Option<String> {
    let cause = match TrafficCounter::attempt() {
        Ok(()) if groups.carry_traffic() => return None,
        Ok(()) => "there are no control groups of version 2 here that the agent may use".to_owned(),
        Err(error) => format!("the kernel does not let the agent count packets ({error})"),
    };
    let remedy = "Run the agent as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN, on a machine \
                  with control groups of version 2.";
    let sockets = || SocketDiagnosis::open().and_then(|mut diagnosis| diagnosis.dump(&mut Vec::new()));
    Some(if own_users && sockets().is_ok() {
        format!(
            "Network traffic is measured only for servers all of whose ports are TCP, and shown as unknown for others: \
             {cause}. {remedy}"
        )
    } else {
        format!("Network traffic of single servers is not measured and shown as unknown: {cause}. {remedy}")
    })
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
    fn without_groups_the_warning_says_what_is_unknown_and_what_to_do() {
        let machine = Machine::read(&Hierarchies::none(), false);
        let warning = machine.warnings.first().unwrap();
        assert!(warning.contains("not measured") && warning.contains("as root"), "{warning}");
    }

    #[test]
    fn names_and_boot_time_are_found() {
        assert_eq!(pretty_name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), Some("Debian GNU/Linux 12"));
        assert_eq!(boot_seconds("cpu 1\nbtime 1700000000\n"), Some(1_700_000_000));
        assert!(!Machine::read(&Hierarchies::none(), false).hostname.is_empty());
    }
}
