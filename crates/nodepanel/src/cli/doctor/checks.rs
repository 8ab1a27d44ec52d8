//! What `doctor` looks at, one function each.

use std::{net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path};

use nodepanel_agent::{ELSEWHERE, ServersPlace, survey};
use nodepanel_control::{MasterKey, MasterKeyError};
use nodepanel_supervise::control::Control;
use nodepanel_types::{
    clock::Clock as _,
    component::{Component, ComponentState},
};

use super::{Finding, Verdict};
use crate::{
    local::{Config, DataDir},
    system::SystemClock,
};

/// Less free space than this is wrong, less than ten times as much is weak.
const LITTLE_SPACE: u64 = 200 * 1024 * 1024;

/// Everything, in the order in which it is shown.
pub async fn all(data_dir: &DataDir, config: &Config) -> Vec<Finding> {
    let running = running(data_dir).await;
    let mut findings = vec![directory(data_dir), key(data_dir), disk(data_dir.path()), servers(data_dir.path())];
    findings.extend(processes(running.as_deref()));
    findings.extend(ports(config, running.is_some()));
    findings.extend([user(), control_groups(), landlock(), clock(), descriptors()]);
    findings
}

async fn running(data_dir: &DataDir) -> Option<Vec<Component>> {
    Control::connect(data_dir.path()).await.ok()?.status().await.ok()
}

fn directory(data_dir: &DataDir) -> Finding {
    let place = data_dir.path().display();
    match std::fs::metadata(data_dir.path()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::new(
            "data",
            Verdict::Weak,
            format!(
                "{place} does not exist yet; `nodepanel up` makes it. If you expected one, name it with --data-dir."
            ),
        ),
        Err(error) => Finding::new("data", Verdict::Wrong, format!("{place} cannot be read: {error}.")),
        Ok(metadata) if !metadata.is_dir() => {
            Finding::new("data", Verdict::Wrong, format!("{place} is no directory; name another with --data-dir."))
        }
        Ok(metadata) if metadata.permissions().mode() & 0o022 != 0 => Finding::new(
            "data",
            Verdict::Wrong,
            format!(
                "Other users can write to {place}. Run chmod 711 on it: whoever can write there controls NodePanel."
            ),
        ),
        Ok(_) => Finding::new("data", Verdict::Fine, format!("{place} is there, and only its owner can write to it.")),
    }
}

fn key(data_dir: &DataDir) -> Finding {
    match MasterKey::load(data_dir.path()) {
        Ok(_) => Finding::new("master key", Verdict::Fine, "It is there and readable for its owner only. Keep a copy."),
        Err(MasterKeyError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Finding::new("master key", Verdict::Weak, "There is none yet; the first start makes it.")
        }
        Err(error) => Finding::new("master key", Verdict::Wrong, format!("{error}.")),
    }
}

fn disk(path: &Path) -> Finding {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or_else(|| Path::new("/"));
    match rustix::fs::statvfs(there) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let text = format!("{} MiB are free on the file system of the data directory.", free / (1024 * 1024));
            if free < LITTLE_SPACE {
                let meaning = "Nothing can be changed when it is full; game servers may fail to save.";
                Finding::new("disk", Verdict::Wrong, format!("{text} {meaning} Free some."))
            } else if free < LITTLE_SPACE * 10 {
                Finding::new("disk", Verdict::Weak, format!("{text} That is little for game servers."))
            } else {
                Finding::new("disk", Verdict::Fine, text)
            }
        }
        Err(error) => {
            Finding::new("disk", Verdict::Wrong, format!("{} cannot be looked at: {error}.", there.display()))
        }
    }
}

/// Where the servers' files are, and whether their own users can reach them.
fn servers(data_dir: &Path) -> Finding {
    let root = rustix::process::geteuid().is_root();
    let fine = |text: String| Finding::new("servers", Verdict::Fine, text);
    let wrong = |text: String| Finding::new("servers", Verdict::Wrong, text);
    let own_users = "every game server runs as a user of its own";
    match survey(data_dir) {
        Err(error) => wrong(format!("The game servers' files cannot be looked at: {error}.")),
        Ok(ServersPlace::Gone { target }) => wrong(format!(
            "The game servers' files were in {target}, which is not there, and the agent does not begin without them. \
             Mount it or put it back; to begin without them, remove the link agent/servers in the data directory.",
            target = target.display()
        )),
        Ok(ServersPlace::Unmade { closed: Some(closed) }) if root => fine(format!(
            "Other users may not pass through {}, and {own_users}: their files will be kept in a directory below \
             {ELSEWHERE}.",
            closed.display()
        )),
        Ok(ServersPlace::Within { closed: Some(closed) }) if root => wrong(format!(
            "Game servers cannot start: other users may not pass through {closed}, and {own_users}. Stop NodePanel with \
             `nodepanel stop --all` and start it again: it moves their files below {ELSEWHERE} when that is on the same \
             disk. Or run chmod o+x {closed}.",
            closed = closed.display()
        )),
        Ok(ServersPlace::Elsewhere { target, closed: Some(closed) }) if root => wrong(format!(
            "Game servers cannot start: their files are in {}, other users may not pass through {closed}, and \
             {own_users}. Run chmod o+x {closed}.",
            target.display(),
            closed = closed.display()
        )),
        Ok(ServersPlace::Elsewhere { target, .. }) => fine(format!(
            "The game servers' files are in {}, outside of the data directory, through which their own users could not \
             pass. Back up both.",
            target.display()
        )),
        Ok(ServersPlace::Unmade { .. } | ServersPlace::Within { .. }) => {
            fine("The game servers' files are below the data directory, where they can be reached.".to_owned())
        }
    }
}

fn processes(running: Option<&[Component]>) -> Vec<Finding> {
    let Some(components) = running else {
        let text = "Nothing runs for this data directory. Start it with `nodepanel up`.";
        return vec![Finding::new("processes", Verdict::Weak, text)];
    };
    let troubled: Vec<Finding> = components
        .iter()
        .filter(|component| !matches!(component.state, ComponentState::Ready))
        .map(|component| {
            let detail = component.detail.clone().or_else(|| component.last_exit.clone()).unwrap_or_default();
            let text = format!("{} is not ready. {detail} Its log is in logs/{}.log.", component.name, component.name);
            Finding::new("processes", Verdict::Wrong, text)
        })
        .collect();
    if troubled.is_empty() {
        return vec![Finding::new("processes", Verdict::Fine, format!("All {} are ready.", components.len()))];
    }
    troubled
}

fn ports(config: &Config, running: bool) -> Vec<Finding> {
    if running {
        return vec![Finding::new("ports", Verdict::Fine, "They are held by the supervisor.")];
    }
    [("the panel", config.http.listen), ("agents", config.link_listen())]
        .into_iter()
        .map(|(what, address)| match TcpListener::bind(address) {
            Ok(_) => Finding::new("ports", Verdict::Fine, format!("{address} is free for {what}.")),
            Err(error) => Finding::new(
                "ports",
                Verdict::Wrong,
                format!("{address} cannot be used for {what}: {error}. Stop what uses it, or choose another address."),
            ),
        })
        .collect()
}

fn user() -> Finding {
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

fn control_groups() -> Finding {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let has = |kind: &str| mounts.lines().any(|line| line.contains(&format!(" - {kind} ")));
    match (has("cgroup2"), has("cgroup")) {
        (true, false) => {
            Finding::new("cgroups", Verdict::Fine, "Version 2: limits on memory, processor and processes.")
        }
        (_, true) => {
            Finding::new("cgroups", Verdict::Fine, "Version 1 controllers: limits on memory, processor and processes.")
        }
        (false, false) => Finding::new(
            "cgroups",
            Verdict::Weak,
            "None are mounted: limits on memory and processor cannot be set. Mount /sys/fs/cgroup.",
        ),
    }
}

fn landlock() -> Finding {
    let listed = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if listed.contains("landlock") {
        return Finding::new("landlock", Verdict::Fine, "Game servers can be kept to their own directories.");
    }
    if listed.is_empty() {
        let text =
            "Whether the kernel has Landlock cannot be seen here; the agent tries it and says so on the node's page.";
        return Finding::new("landlock", Verdict::Weak, text);
    }
    Finding::new(
        "landlock",
        Verdict::Weak,
        "The kernel runs without Landlock: a game server can read what its user can. Add landlock to the kernel's lsm= list.",
    )
}

fn clock() -> Finding {
    // The binary cannot be older than its own sources.
    let built_after = 1_763_000_000_000;
    let now = SystemClock.now();
    if now.as_millis() < built_after {
        let text = format!("It says {now}, which is in the past: certificates will not be valid. Set the clock.");
        return Finding::new("clock", Verdict::Wrong, text);
    }
    Finding::new("clock", Verdict::Fine, format!("It says {now}."))
}

fn descriptors() -> Finding {
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
