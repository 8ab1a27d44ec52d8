//! The machine: who we are on it, what it can limit, its clock.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nodepanel_types::{Timestamp, clock::Clock as _};
use rustix::fs::Access;

use super::{Finding, Verdict};
use crate::{local::DataDir, system::SystemClock};

/// A file from further ahead than this means that the clock was set back; milliseconds.
const AHEAD: i64 = 60_000;
/// Version 1 controllers that limits need.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// Whether game servers get users of their own.
pub(super) fn user() -> Finding {
    if rustix::process::geteuid().is_root() {
        return Finding::new("user", Verdict::Fine, "Root: every game server gets a user of its own.");
    }
    Finding::new(
        "user",
        Verdict::Weak,
        "Not root: game servers run as this very user. They are kept apart by Landlock only, limits may be missing, and \
         packages that templates need must be installed by hand.",
    )
}

/// Whether limits can be set.
pub(super) fn control_groups() -> Finding {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let found = limits(&mounts, &own, |path| rustix::fs::access(path, Access::WRITE_OK).is_ok());
    match found {
        Ok(version) => Finding::new(
            "cgroups",
            Verdict::Fine,
            format!("Memory, processor time and processes can be limited (version {version})."),
        ),
        Err(why) => Finding::new(
            "cgroups",
            Verdict::Weak,
            format!(
                "Memory, processor time and processes of game servers are not limited: {why}. Run NodePanel as root, or \
                 give its service a control group of its own (systemd: Delegate=yes)."
            ),
        ),
    }
}

/// The version of control groups in which limits can be set, or why they cannot.
fn limits(mounts: &str, own: &str, writable: impl Fn(&Path) -> bool) -> Result<u8, String> {
    let mounts: Vec<(&str, &str, &str)> = mounts
        .lines()
        .filter_map(|line| {
            let (fields, rest) = line.split_once(" - ")?;
            let mut rest = rest.split(' ');
            Some((fields.split(' ').nth(4)?, rest.next()?, rest.nth(1)?))
        })
        .collect();
    let carries = |options: &str, controller: &str| options.split(',').any(|option| option == controller);
    let legacy = CONTROLLERS.map(|controller| {
        mounts.iter().find(|(_, kind, options)| *kind == "cgroup" && carries(options, controller)).map(|mount| mount.0)
    });
    if legacy.iter().any(Option::is_some) {
        let missing =
            CONTROLLERS.iter().zip(legacy).find(|(_, point)| !point.is_some_and(|point| writable(point.as_ref())));
        return match missing {
            None => Ok(1),
            Some((controller, None)) => Err(format!("the controller {controller} is not mounted")),
            Some((controller, Some(_))) => Err(format!("groups of the controller {controller} cannot be made")),
        };
    }
    let Some((point, ..)) = mounts.iter().find(|(_, kind, _)| *kind == "cgroup2") else {
        return Err("no control groups are mounted at /sys/fs/cgroup".to_owned());
    };
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let group: PathBuf = Path::new(point).join(path);
    if writable(&group) { Ok(2) } else { Err(format!("groups cannot be made in {}", group.display())) }
}

/// Whether game servers can be kept to their own files.
pub(super) fn landlock() -> Finding {
    let listed = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if listed.contains("landlock") {
        return Finding::new("landlock", Verdict::Fine, "Game servers can be kept to their own directories.");
    }
    if listed.is_empty() {
        let text = "Whether the kernel has Landlock cannot be seen here (mount securityfs to see it); each game server's \
                    console says at its start whether it is confined.";
        return Finding::new("landlock", Verdict::Weak, text);
    }
    Finding::new(
        "landlock",
        Verdict::Weak,
        "The kernel runs without Landlock: a game server can read what its user can. Add landlock to the kernel's lsm= list.",
    )
}

/// Whether the clock can be right.
pub(super) fn clock(data_dir: &DataDir) -> Finding {
    // The binary cannot be older than its own sources.
    let built_after = 1_763_000_000_000;
    let now = SystemClock.now();
    if now.as_millis() < built_after {
        let text = format!("It says {now}, which is in the past: certificates will not be valid. Set the clock.");
        return Finding::new("clock", Verdict::Wrong, text);
    }
    let newest = ["run/supervisor.json", "store/store.db", "store/store.db-wal", "agent/agent.db"]
        .iter()
        .filter_map(|file| std::fs::metadata(data_dir.path().join(file)).ok()?.modified().ok())
        .filter_map(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .filter_map(|since| i64::try_from(since.as_millis()).ok())
        .max();
    if let Some(newest) = newest.filter(|newest| *newest > now.as_millis() + AHEAD) {
        let newest = Timestamp::from_millis(newest);
        let text = format!(
            "It says {now}, and files of this installation were written at {newest}: it was set back, or is wrong now. Set \
             it, or wait; sessions and certificates may be refused until then."
        );
        return Finding::new("clock", Verdict::Wrong, text);
    }
    match synchronized() {
        Some(true) => {
            Finding::new("clock", Verdict::Fine, format!("It says {now} and is kept right over the network."))
        }
        Some(false) => Finding::new(
            "clock",
            Verdict::Weak,
            format!("It says {now} and is not kept right over the network. Run `timedatectl set-ntp true`."),
        ),
        None => Finding::new(
            "clock",
            Verdict::Fine,
            format!("It says {now}. Whether something keeps it right cannot be seen here."),
        ),
    }
}

/// What systemd knows of it; `None` where there is none.
fn synchronized() -> Option<bool> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let output = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    match output.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// How many files and connections a process may open.
pub(super) fn descriptors() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.current {
        Some(current) if current < 4_096 => Finding::new(
            "files",
            Verdict::Weak,
            format!("A process may open {current} files; many viewers need more. Raise the limit (ulimit -n 65536)."),
        ),
        Some(current) => Finding::new("files", Verdict::Fine, format!("A process may open {current} files.")),
        None => Finding::new("files", Verdict::Fine, "A process may open as many files as it likes."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                      32 24 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
    const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn what_stands_in_the_way_of_limits_is_named() {
        assert_eq!(limits(V1, "", |_| true), Ok(1));
        assert_eq!(limits(V2, "0::/system.slice/nodepanel.service\n", |_| true), Ok(2));
        let read_only = |path: &Path| !path.ends_with("pids") && !path.ends_with("nodepanel.service");
        assert!(limits(V1, "", read_only).unwrap_err().contains("controller pids cannot be made"));
        let own = "0::/system.slice/nodepanel.service\n";
        assert!(limits(V2, own, read_only).unwrap_err().contains("/sys/fs/cgroup/system.slice/nodepanel.service"));
        let (first, _) = V1.split_once('\n').unwrap();
        assert!(limits(first, "", |_| true).unwrap_err().contains("cpu is not mounted"));
        assert!(limits("", "", |_| true).unwrap_err().contains("/sys/fs/cgroup"));
    }
}
