//! What a package says of itself: name, version, what it depends on, when it changed.

use std::{path::Path, process::Command};

use anyhow::{Context, bail};

use super::{libc, output};
use crate::workspace::Workspace;

/// What is said of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Debian's version: ours, and the first packaging of it.
    pub version: String,
    /// Debian's name of the processor.
    pub architecture: String,
    /// Who answers for it.
    pub maintainer: String,
    /// The oldest C library that the binary runs with.
    pub libc: String,
    /// When the source was changed last, in seconds since 1970.
    pub changed_at: u64,
    /// The same as a mail would say it.
    pub changed: String,
}

impl Facts {
    /// Asks the binary, git and dpkg.
    ///
    /// # Errors
    ///
    /// When one of them cannot be asked.
    pub fn gather(workspace: &Workspace, binary: &Path, maintainer: &str) -> anyhow::Result<Self> {
        let words =
            |command: &mut Command| output(command).map(|text| String::from_utf8_lossy(&text).trim().to_owned());
        let git = |format: &str| {
            words(
                Command::new("git").current_dir(&workspace.root).args(["log", "-1"]).arg(format!("--format={format}")),
            )
        };
        let version = words(Command::new(binary).arg("--version"))?;
        let Some(version) = version.strip_prefix("nodepanel ") else { bail!("{} is no nodepanel", binary.display()) };
        let content = std::fs::read(binary).with_context(|| format!("{} cannot be read", binary.display()))?;
        Ok(Self {
            version: format!("{version}-1"),
            architecture: words(Command::new("dpkg").arg("--print-architecture"))?,
            maintainer: maintainer.to_owned(),
            libc: libc::oldest(&content).context("the binary does not use the C library of Debian")?,
            changed_at: git("%ct")?.parse().context("git tells no time")?,
            changed: git("%cD")?,
        })
    }

    /// The file of the package.
    pub fn file_name(&self) -> String {
        format!("nodepanel_{}_{}.deb", self.version, self.architecture)
    }

    /// The control file, made from its template; `kib` is how much the package unpacks to.
    pub fn control(&self, template: &str, kib: u64) -> String {
        template
            .replace("{version}", &self.version)
            .replace("{architecture}", &self.architecture)
            .replace("{maintainer}", &self.maintainer)
            .replace("{libc}", &self.libc)
            .replace("{installed_kib}", &kib.to_string())
    }

    /// Debian's changelog, which names versions; what changed is in our own.
    pub fn changelog(&self) -> String {
        format!(
            "nodepanel ({}) unstable; urgency=medium\n\n  * New version; /usr/share/doc/nodepanel/changelog.gz says what \
             changed.\n\n -- {}  {}\n",
            self.version, self.maintainer, self.changed
        )
    }
}

/// A text as a field of a control file goes on with it: indented, empty lines as dots.
pub fn paragraphs(text: &str) -> String {
    let line = |line: &str| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") };
    text.trim().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            version: "1.2.3-1".to_owned(),
            architecture: "amd64".to_owned(),
            maintainer: "A B <a@example.org>".to_owned(),
            libc: "2.34".to_owned(),
            changed_at: 1,
            changed: "Thu, 1 Jan 1970 00:00:01 +0000".to_owned(),
        }
    }

    #[test]
    fn the_control_file_leaves_no_place_empty() {
        let template = include_str!("../../../packaging/debian/control");
        let control = facts().control(template, 7);
        assert!(!control.contains(['{', '}']), "{control}");
        for line in ["Version: 1.2.3-1", "Architecture: amd64", "Installed-Size: 7", "Maintainer: A B <a@example.org>"]
        {
            assert!(control.lines().any(|other| other == line), "{line} is missing in {control}");
        }
        assert!(control.contains("libc6 (>= 2.34)"), "{control}");
        assert_eq!(facts().file_name(), "nodepanel_1.2.3-1_amd64.deb");
    }

    #[test]
    fn the_changelog_is_debians() {
        let changelog = facts().changelog();
        assert!(changelog.starts_with("nodepanel (1.2.3-1) unstable;"), "{changelog}");
        assert!(changelog.ends_with("\n -- A B <a@example.org>  Thu, 1 Jan 1970 00:00:01 +0000\n"), "{changelog}");
    }

    #[test]
    fn empty_lines_do_not_end_a_field() {
        assert_eq!(paragraphs("One\n\ntwo\n"), " One\n .\n two");
    }
}
