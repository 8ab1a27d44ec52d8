//! Packages of the host's distribution that a template needs.

use std::{fs, path::Path, process::Stdio, time::Duration};

use nodepanel_types::wire::Program;

/// Whether this is a name that `apt-get install` can only understand as a package.
pub fn valid_package_name(name: &str) -> bool {
    let mut characters = name.chars();
    let first = characters.next().is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    let rest =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "+-.".contains(character);
    first && (2..=100).contains(&name.len()) && characters.all(rest) && !name.ends_with(['+', '-'])
}

/// Where programs are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/games:/usr/games";

/// The packages of those programs that this host does not have.
pub fn for_missing_programs(programs: &[Program]) -> Vec<String> {
    let found = |name: &str| {
        let found_in =
            |directory: &str| rustix::fs::access(Path::new(directory).join(name), rustix::fs::Access::EXEC_OK).is_ok();
        PATH.split(':').any(found_in)
    };
    programs.iter().filter(|program| !found(&program.name)).map(|program| program.package.clone()).collect()
}

/// Those of `packages` that are not installed. Fails in words when that cannot be found out.
pub async fn missing(packages: &[String]) -> Result<Vec<String>, String> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = tokio::process::Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\\n", "--"]).args(packages);
    query.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(Duration::from_secs(20), query.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            return Err(format!(
                "The host needs the packages {}, but its package database cannot be asked ({error}). Is this a Debian \
                 system?",
                packages.join(", ")
            ));
        }
        Err(_) => return Err("The host's package database did not answer within 20 s.".to_owned()),
    };
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(packages.iter().filter(|package| !is_installed(&listing, package)).cloned().collect())
}

fn is_installed(listing: &str, package: &str) -> bool {
    listing.lines().any(|line| line.split_once(' ') == Some((package, "installed")))
}

/// What to say when the agent may not install them.
pub fn ask_the_operator(missing: &[String]) -> String {
    format!(
        "The host needs the packages {0}, and the agent does not run as root and may not install them. Run \
         `apt-get install {1}` on the host as root, then install again.",
        missing.join(", "),
        missing.join(" ")
    )
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
const MARK: &str = "# made by NodePanel for the time of an installation";

/// Installs `$@`. Services that packages bring along are neither started nor enabled: a game server that Debian starts
/// by itself would sit on the port of ours. The policy file is ours only while this runs, and one that was there
/// before stays untouched.
pub const SCRIPT: &str = r#"
set -u
policy=/usr/sbin/policy-rc.d
mark='# made by NodePanel for the time of an installation'
made=
undo() { if [ -n "$made" ]; then rm -f "$policy"; fi; }
trap undo EXIT
trap 'exit 143' HUP INT TERM
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" > "$policy" && chmod 755 "$policy" && made=yes
fi
install() {
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -- "$@" < /dev/null
}
if ! install "$@"; then
    echo 'Trying again with fresh package lists.'
    apt-get update -o DPkg::Lock::Timeout=300 && install "$@" || exit 1
fi
if [ -d /run/systemd/system ] && command -v systemctl > /dev/null; then
    dpkg -L "$@" | sed -n 's,^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.service\)$,\2,p' | while read -r unit; do
        echo "Leaving the service $unit of the package off."
        systemctl disable --now "$unit" || true
    done
fi
exit 0
"#;

/// Removes the policy file that an installation left behind which was killed. Blocks.
pub fn remove_stale_policy() {
    let path = Path::new(POLICY);
    let ours = fs::read_to_string(path).is_ok_and(|text| text.contains(MARK));
    if ours && let Err(error) = fs::remove_file(path) {
        tracing::error!(%error, "{POLICY}, which an interrupted installation left behind, cannot be removed: no service starts until it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_package_names_pass() {
        for good in ["openttd", "minetest-server", "libstdc++6", "g++-12", "python3.11", "0ad"] {
            assert!(valid_package_name(good), "{good}");
        }
        for bad in ["", "a", "-y", "--foo", "A", "a b", "a;b", "../x", "a/b", "vim=1", "vim-", "apt+", "a\n"] {
            assert!(!valid_package_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_script_and_the_clean_up_mean_the_same_file() {
        assert!(SCRIPT.contains(POLICY) && SCRIPT.contains(MARK));
        assert!(is_installed("vim installed\nnano config-files\n", "vim"));
        assert!(!is_installed("vim installed\nnano config-files\n", "nano"));
    }

    #[tokio::test]
    async fn what_is_installed_is_not_missing() {
        let packages = ["dpkg".to_owned(), "no-such-package-of-nodepanel".to_owned()];
        match missing(&packages).await {
            Ok(missing) => assert_eq!(missing, ["no-such-package-of-nodepanel"]),
            Err(reason) => assert!(reason.contains("Debian"), "{reason}"),
        }
    }
}
