//! What this machine must have before anything can be built, and the command that brings what it lacks.
//!
//! Looks only; installs nothing.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::bail;

/// The oldest Node.js that the panel's build tools run on.
const NODE_MAJOR: u32 = 20;
/// The oldest kernel with all that the product uses: pidfd, openat2, `close_range` and their waits.
const KERNEL: (u32, u32) = (5, 10);

/// Something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What, and what was found instead.
    pub what: String,
    /// What it is needed for.
    pub why: &'static str,
    /// The command that installs it on Debian, or what else to do.
    pub remedy: String,
    /// Whether nothing can be built or run without it.
    pub fatal: bool,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.\n      {}", self.what, self.why, self.remedy)
    }
}

/// Says what is missing.
///
/// # Errors
///
/// When something without which nothing works is missing.
pub fn check() -> anyhow::Result<()> {
    let lacks = lacks();
    for lack in &lacks {
        let word = if lack.fatal { "missing" } else { "note" };
        eprintln!("  {word}: {lack}");
    }
    match lacks.iter().filter(|lack| lack.fatal).count() {
        0 => Ok(()),
        1 => bail!("one thing is missing on this machine; nothing was changed"),
        many => bail!("{many} things are missing on this machine; nothing was changed"),
    }
}

/// Everything that is missing, in the order in which to install it.
pub fn lacks() -> Vec<Lack> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    [
        compiler(first_line("cc", "--version").as_deref()),
        node(first_line("node", "--version").as_deref(), debian_version(&release)),
        npm(first_line("npm", "--version").as_deref()),
        kernel_version(kernel.trim()),
        landlock(Path::new("/sys/kernel/security")),
        cgroups(Path::new("/sys/fs/cgroup")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

fn compiler(found: Option<&str>) -> Option<Lack> {
    found.is_none().then(|| Lack {
        what: "a C compiler (cc)".into(),
        why: "SQLite and the TLS library are compiled from C",
        remedy: "apt-get install build-essential".into(),
        fatal: true,
    })
}

fn node(found: Option<&str>, debian: Option<u32>) -> Option<Lack> {
    let major = found.and_then(|version| version.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE_MAJOR) {
        return None;
    }
    let found = found.map_or_else(String::new, |version| format!(", found {version}"));
    // Debian 12 itself packages Node.js 18.
    let remedy = if debian.is_some_and(|version| version >= 13) {
        "apt-get install nodejs npm".into()
    } else {
        "curl -fsSL https://deb.nodesource.com/setup_22.x | bash - && apt-get install nodejs".into()
    };
    Some(Lack {
        what: format!("Node.js {NODE_MAJOR} or newer{found}"),
        why: "it builds the panel",
        remedy,
        fatal: true,
    })
}

fn npm(found: Option<&str>) -> Option<Lack> {
    found.is_none().then(|| Lack {
        what: "npm".into(),
        why: "it brings the panel's packages",
        remedy: "apt-get install npm (it is part of other Node.js packages)".into(),
        fatal: true,
    })
}

fn kernel_version(release: &str) -> Option<Lack> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    let version = (numbers.next()?, numbers.next()?);
    (version < KERNEL).then(|| Lack {
        what: format!("Linux {}.{} or newer, found {release}", KERNEL.0, KERNEL.1),
        why: "processes are watched through pidfds and files are opened with openat2",
        remedy: "upgrade the machine: Debian 12 has Linux 6.1".into(),
        fatal: true,
    })
}

fn landlock(securityfs: &Path) -> Option<Lack> {
    // Without securityfs (in a container) nobody can tell; the agent finds out when it starts a game server.
    let modules = std::fs::read_to_string(securityfs.join("lsm")).ok()?;
    (!modules.trim().split(',').any(|module| module == "landlock")).then(|| Lack {
        what: "Landlock".into(),
        why: "without it a game server can read what other users of this machine can read",
        remedy: "add landlock to lsm= on the kernel's command line (Debian 12 does so by itself)".into(),
        fatal: false,
    })
}

fn cgroups(mount: &Path) -> Option<Lack> {
    let unified = mount.join("cgroup.controllers").exists();
    let legacy = mount.join("memory").exists();
    (!unified && !legacy).then(|| Lack {
        what: "control groups".into(),
        why: "memory, cpu and process limits of game servers cannot be enforced",
        remedy: "mount -t cgroup2 none /sys/fs/cgroup".into(),
        fatal: false,
    })
}

/// The major version of Debian, when this is Debian.
fn debian_version(os_release: &str) -> Option<u32> {
    let field = |name: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim_matches('"'))
    };
    if field("ID")? != "debian" {
        return None;
    }
    field("VERSION_ID")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_must_be_new_enough() {
        assert_eq!(node(Some("v20.20.2"), Some(12)), None);
        assert_eq!(node(Some("v22.1.0"), None), None);
        let old = node(Some("v18.19.0"), Some(12)).unwrap();
        assert!(old.what.contains("found v18.19.0") && old.remedy.contains("nodesource"), "{old}");
        let none = node(None, Some(13)).unwrap();
        assert!(none.fatal && none.remedy == "apt-get install nodejs npm", "{none}");
    }

    #[test]
    fn kernels_are_compared_by_number() {
        assert_eq!(kernel_version("6.1.0-18-amd64"), None);
        assert_eq!(kernel_version("5.10.0"), None);
        assert!(kernel_version("5.9.16").is_some());
        assert_eq!(kernel_version("not a kernel"), None);
    }

    #[test]
    fn debian_is_recognised() {
        assert_eq!(debian_version("NAME=x\nVERSION_ID=\"12\"\nID=debian\n"), Some(12));
        assert_eq!(debian_version("ID=ubuntu\nVERSION_ID=\"24.04\"\n"), None);
    }
}
