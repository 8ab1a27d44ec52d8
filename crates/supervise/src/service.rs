//! Who starts a process that nothing of ours starts, and whether it is there after a boot: what systemd says of the unit
//! that the process runs in.
//!
//! Looks only. Where there is no systemd, a process counts as started by hand: nothing can be seen that starts it again.

use std::{fs, path::Path, process::Stdio, time::Duration};

use nodepanel_types::component::{AtBoot, Restarter};
use tokio::{process::Command, time::timeout};

/// How long systemd may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Finds out who starts the process `pid`, which nothing of ours has started; `None` when systemd does not answer.
pub async fn starter(pid: u32) -> Option<(Restarter, AtBoot)> {
    if pid == 1 {
        let reason = "It is the first process of a container: whoever runs that starts it.".to_owned();
        return Some((Restarter::Unknown, AtBoot::Unknown { reason }));
    }
    if !Path::new("/run/systemd/system").is_dir() {
        return Some((Restarter::Nobody, AtBoot::ByHand));
    }
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let unit = match unit_of(&groups) {
        Place::Unit(unit) => unit,
        Place::Session => return Some((Restarter::Nobody, AtBoot::ByHand)),
        Place::UserManager => {
            let reason = "It runs in a unit of a user's own systemd, which is not asked.".to_owned();
            return Some((Restarter::Unknown, AtBoot::Unknown { reason }));
        }
    };
    let mut show = Command::new("systemctl");
    show.args(["show", "--property=MainPID,Restart,UnitFileState", "--", &unit]);
    let show = show.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(ANSWER, show).await.ok()?.ok().filter(|output| output.status.success())?;
    Some(judge(unit, &String::from_utf8_lossy(&output.stdout), pid))
}

/// Where a process runs, by its control groups.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A service of the system.
    Unit(String),
    /// Somebody's session.
    Session,
    /// A service of a user's own systemd.
    UserManager,
}

/// What `/proc/PID/cgroup` says.
fn unit_of(groups: &str) -> Place {
    let systemd = groups.lines().find_map(|line| line.strip_prefix("0::").filter(|path| *path != "/"));
    let named = || groups.lines().find_map(|line| line.split_once(":name=systemd:").map(|(_, path)| path));
    let path = systemd.or_else(named).unwrap_or_default();
    if path.contains("/user@") {
        return Place::UserManager;
    }
    let mut parts = path.split('/').rev();
    parts.find(|part| part.ends_with(".service")).map_or(Place::Session, |unit| Place::Unit(unit.to_owned()))
}

/// What systemd's properties of `unit` mean for the process `pid` in it.
fn judge(unit: String, properties: &str, pid: u32) -> (Restarter, AtBoot) {
    let property =
        |name: &str| properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    // Started from a shell that is itself in a service, say that of a terminal: the unit is not about this process.
    if property("MainPID") != pid.to_string() {
        return (Restarter::Nobody, AtBoot::ByHand);
    }
    // What ends it first, a kill or a crash, must be among what it is started again after.
    let restarts = matches!(property("Restart"), "always" | "on-failure" | "on-abnormal");
    let restarter = if restarts { Restarter::Systemd } else { Restarter::Nobody };
    // `static` and the like are started by what wants them, which is not looked into.
    let at_boot = match property("UnitFileState") {
        "enabled" => AtBoot::Enabled { unit },
        "disabled" | "enabled-runtime" | "masked" | "masked-runtime" | "transient" => AtBoot::Disabled { unit },
        other => AtBoot::Unknown { reason: format!("systemd calls the unit {unit} “{other}”.") },
    };
    (restarter, at_boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_innermost_service() {
        let of = |groups| unit_of(groups);
        assert_eq!(of("0::/system.slice/panel.service\n"), Place::Unit("panel.service".to_owned()));
        assert_eq!(of("0::/system.slice/panel.service/below\n"), Place::Unit("panel.service".to_owned()));
        assert_eq!(
            of("12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/\n"),
            Place::Unit("a.service".to_owned())
        );
        assert_eq!(of("0::/user.slice/user-0.slice/session-3.scope\n"), Place::Session);
        assert_eq!(of("0::/user.slice/user-1.slice/user@1.service/app.slice/a.service\n"), Place::UserManager);
        assert_eq!(of(""), Place::Session);
    }

    #[test]
    fn only_an_enabled_unit_whose_process_it_is_starts_it_at_boot() {
        let of = |restart: &str, state: &str, pid| {
            let text = format!("Restart={restart}\nMainPID=7\nUnitFileState={state}\n");
            judge("a.service".to_owned(), &text, pid)
        };
        let unit = "a.service".to_owned();
        assert_eq!(of("on-failure", "enabled", 7), (Restarter::Systemd, AtBoot::Enabled { unit: unit.clone() }));
        assert_eq!(of("no", "enabled", 7), (Restarter::Nobody, AtBoot::Enabled { unit: unit.clone() }));
        assert_eq!(of("always", "disabled", 7), (Restarter::Systemd, AtBoot::Disabled { unit }));
        assert_eq!(of("always", "enabled", 8), (Restarter::Nobody, AtBoot::ByHand));
        assert!(matches!(of("always", "static", 7).1, AtBoot::Unknown { .. }));
    }
}
