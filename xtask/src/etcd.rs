//! An etcd that is new enough, for the tests and for trying a cluster out.
//!
//! Debian 12 packages one that is too old (3.4.23). Debian 13's runs there, so that it is fetched with apt from the mirror
//! that the machine is set up with, and unpacked into the target directory: nothing is installed, and root is not needed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, bail};

use crate::step;
use crate::workspace::Workspace;

/// The oldest that does what it promises; older ones lose leases and watches.
const OLDEST: [u32; 3] = [3, 5, 16];
/// The Debian whose package is fetched.
const SUITE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LIMIT: Duration = step::minutes(5);

/// Names the etcd to use, if not the one that is found.
pub const NAMED: &str = "NODEPANEL_ETCD";

/// The etcd to use: the one that is named, the one on the path, or one that was or is now fetched.
///
/// # Errors
///
/// The named one is too old, or none could be fetched.
pub fn provide(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(NAMED) {
        let named = PathBuf::from(named);
        return match version(&named) {
            Some(found) if found >= OLDEST.to_vec() => Ok(named),
            Some(found) => bail!("{NAMED} names etcd {found:?}, and {OLDEST:?} is the oldest that can be used"),
            None => bail!("{NAMED} names {}, which is no etcd that can be started", named.display()),
        };
    }
    let place = workspace.target.join("etcd");
    let fetched = place.join("usr/bin/etcd");
    for found in [fetched.clone(), PathBuf::from("etcd")] {
        if version(&found).is_some_and(|version| version >= OLDEST.to_vec()) {
            return Ok(found);
        }
    }
    fetch(workspace, &place)?;
    match version(&fetched) {
        Some(found) if found >= OLDEST.to_vec() => Ok(fetched),
        found => bail!("Debian {SUITE}'s etcd cannot be used here ({found:?})"),
    }
}

fn version(program: &Path) -> Option<Vec<u32>> {
    let output = Command::new(program).arg("--version").output().ok().filter(|output| output.status.success())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.lines().find_map(|line| line.strip_prefix("etcd Version: "))?;
    version.trim().split('.').map(|number| number.parse().ok()).collect()
}

fn fetch(workspace: &Workspace, place: &Path) -> anyhow::Result<()> {
    let mirror = mirror(Path::new("/etc/apt")).context(
        "no mirror of Debian is set up on this machine to fetch etcd from: install 3.5.16 or newer, and name it with \
         NODEPANEL_ETCD",
    )?;
    for directory in ["lists/partial", "cache/archives/partial", "packages"] {
        fs::create_dir_all(place.join(directory))?;
    }
    fs::write(place.join("sources.list"), format!("deb [signed-by={KEYRING}] {mirror} {SUITE} main\n"))?;
    fs::write(place.join("status"), "")?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.current_dir(place.join("packages")).arg("-q");
        for (option, value) in [
            ("Dir::Etc::SourceList", place.join("sources.list")),
            ("Dir::Etc::SourceParts", "/dev/null".into()),
            ("Dir::State::Lists", place.join("lists")),
            ("Dir::State::Status", place.join("status")),
            ("Dir::Cache", place.join("cache")),
        ] {
            apt.arg("-o").arg(format!("{option}={}", value.display()));
        }
        // Only what is needed to find one package.
        apt.args(["-o", "Acquire::Languages=none", "-o", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false"]);
        apt
    };
    let logs = workspace.logs();
    step::require(&logs, "looking for etcd", LIMIT, apt().arg("update"))?;
    step::require(&logs, "fetching etcd", LIMIT, apt().args(["download", "etcd-server"]))?;
    let package = fs::read_dir(place.join("packages"))?.filter_map(|entry| Some(entry.ok()?.path())).max();
    let package = package.context("apt-get fetched no package")?;
    step::require(&logs, "unpacking etcd", LIMIT, Command::new("dpkg").arg("-x").arg(package).arg(place))?;
    Ok(())
}

/// The mirror of Debian that apt is set up with.
fn mirror(apt: &Path) -> Option<String> {
    let mut files = vec![apt.join("sources.list")];
    files.extend(fs::read_dir(apt.join("sources.list.d")).ok()?.filter_map(|entry| Some(entry.ok()?.path())));
    files.sort();
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).find_map(|text| named_in(&text).map(str::to_owned))
}

/// The first mirror of Debian in a list of sources, in either form.
fn named_in(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.filter_map(|line| line.strip_prefix("URIs:").or_else(|| line.strip_prefix("deb ")));
    let mut addresses = words.flat_map(str::split_whitespace).filter(|word| word.contains("://"));
    addresses.find(|address| address.trim_end_matches('/').ends_with("/debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_either_form() {
        let other = "Types: deb\nURIs: https://example.com/apt\nSuites: x\n";
        assert_eq!(named_in(other), None);
        let modern = "# URIs: http://old.example/debian\nTypes: deb\nURIs: http://mirror.example/debian\n";
        assert_eq!(named_in(modern), Some("http://mirror.example/debian"));
        let classic = "deb [signed-by=/k.gpg] https://first.example/debian/ bookworm main\n";
        assert_eq!(named_in(classic), Some("https://first.example/debian/"));
    }
}
