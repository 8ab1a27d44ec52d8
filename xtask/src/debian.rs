//! Debian packages that the tests use: which are missing, and installing those as root.

use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::step;
use crate::workspace::Workspace;

/// The game servers are large (`OpenArena`'s data alone is 400 MB).
const INSTALL_LIMIT: Duration = step::minutes(20);

/// A package and what is tested with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// What needs it.
    pub needed_by: &'static str,
}

/// Everything that the tests use.
pub const FOR_TESTS: [Package; 9] = [
    Package { name: "chromium", needed_by: "the browser tests" },
    Package { name: "e2fsprogs", needed_by: "the drills that break a disk" },
    Package { name: "faketime", needed_by: "the drill that sets the clock" },
    Package { name: "iproute2", needed_by: "the network namespaces of the drills" },
    Package { name: "openttd", needed_by: "the OpenTTD template" },
    Package { name: "openttd-opengfx", needed_by: "the OpenTTD template" },
    Package { name: "openarena-server", needed_by: "the OpenArena template" },
    Package { name: "minetest-server", needed_by: "the Minetest template" },
    Package { name: "strace", needed_by: "the drill whose disk fails to sync" },
];

/// Whether this process may install packages and switch users.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Those of `packages` that are not installed.
///
/// # Errors
///
/// When `dpkg-query` cannot be run: this is not Debian.
pub fn missing(packages: &[Package]) -> anyhow::Result<Vec<Package>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\\n"])
        .args(packages.iter().map(|package| package.name))
        .output()
        .context("dpkg-query cannot be run: the tests install their game servers from Debian's packages")?;
    let installed = String::from_utf8_lossy(&output.stdout);
    Ok(packages
        .iter()
        .filter(|package| !installed.lines().any(|line| line == format!("{} installed", package.name)))
        .copied()
        .collect())
}

/// The command that installs `packages`, for people.
pub fn command_for(packages: &[Package]) -> String {
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    format!("apt-get install --no-install-recommends {}", names.join(" "))
}

/// Installs `packages`; needs root.
///
/// # Errors
///
/// When apt fails.
pub fn install(workspace: &Workspace, packages: &[Package]) -> anyhow::Result<()> {
    let logs = workspace.logs();
    step::require(&logs, "apt-get update", INSTALL_LIMIT, apt().arg("update"))?;
    let mut command = apt();
    command.args(["install", "--yes", "--no-install-recommends"]).args(packages.iter().map(|package| package.name));
    let names: Vec<&str> = packages.iter().map(|package| package.name).collect();
    println!("  installing {}", names.join(", "));
    step::require(&logs, "apt-get install", INSTALL_LIMIT, &mut command)?;
    Ok(())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    // Another apt may be at work on a machine that has just been started.
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Node.js is what builds the panel, too: it is there already, and often not from Debian.
    const NOT_FROM_HERE: [&str; 2] = ["nodejs", "npm"];

    #[test]
    fn what_the_templates_run_is_installed_for_their_tests() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
        let mut named = Vec::new();
        for template in std::fs::read_dir(templates).unwrap() {
            let path = template.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let template: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            let list = |key: &str| template.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
            named.extend(list("packages").iter().filter_map(|package| Some(package.as_str()?.to_owned())));
            named.extend(
                list("programs").iter().filter_map(|program| Some(program.get("package")?.as_str()?.to_owned())),
            );
        }
        assert!(!named.is_empty());
        for package in named {
            let known = FOR_TESTS.iter().any(|known| known.name == package);
            assert!(known || NOT_FROM_HERE.contains(&package.as_str()), "{package} is not installed for the tests");
        }
    }
}
