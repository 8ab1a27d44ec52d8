//! The source tree: where it is, where cargo builds, and which packages it has, as `cargo metadata` tells.
//!
//! Also the one place that makes `cargo` commands, so that all of them share one set of build artifacts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// Cargo describes the package that it runs in these variables. A build script may ask to be run again when they change
/// (`ring`'s does), so a nested cargo must not see them, or every switch between `cargo` and `cargo xtask` rebuilds.
const SET_BY_CARGO_RUN: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The source tree and its packages.
#[derive(Debug)]
pub struct Workspace {
    /// The directory that holds the root `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo puts what it builds (`CARGO_TARGET_DIR`, the cargo configuration, or `target`).
    pub target: PathBuf,
    /// The members of the workspace.
    pub packages: Vec<Package>,
}

/// The part of `cargo metadata` that is used here.
#[derive(Debug, Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// The name in its `Cargo.toml`.
    pub name: String,
    /// Its `Cargo.toml`.
    pub manifest_path: PathBuf,
    /// What it depends on, of ours and of others.
    pub dependencies: Vec<Dependency>,
    /// What it builds.
    pub targets: Vec<Target>,
}

/// A dependency as declared.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// The name it has in the code, when it was renamed.
    pub rename: Option<String>,
    /// `None` for a normal one, else `dev` or `build`.
    pub kind: Option<String>,
    /// Where it is, when it is a member of this workspace.
    pub path: Option<PathBuf>,
}

/// Something that a package builds.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    /// The target's name.
    pub name: String,
    /// `lib`, `bin`, `test`, `example`, `bench`, `custom-build`.
    pub kind: Vec<String>,
}

impl Target {
    /// Whether this is a target of the given kind.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|k| k == kind)
    }
}

impl Workspace {
    /// Asks cargo about the tree that this program was started from.
    ///
    /// # Errors
    ///
    /// When cargo cannot be run or does not understand the tree.
    pub fn load() -> anyhow::Result<Self> {
        let member = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let output = bare_cargo()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .arg("--manifest-path")
            .arg(member.join("Cargo.toml"))
            .output()
            .context("cargo cannot be run")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata cannot be understood")?;
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory, packages: metadata.packages })
    }

    /// A cargo command in the root of the tree.
    pub fn cargo(&self, subcommand: &[&str]) -> Command {
        let mut command = bare_cargo();
        command.current_dir(&self.root).args(subcommand);
        command
    }

    /// Whether `cargo <subcommand>` is installed.
    pub fn has_cargo_subcommand(&self, subcommand: &str) -> bool {
        self.cargo(&[subcommand, "--version"]).output().is_ok_and(|output| output.status.success())
    }

    /// The binary `nodepanel` of the given profile directory (`debug` or `release`).
    pub fn binary(&self, profile: &str) -> PathBuf {
        self.target.join(profile).join("nodepanel")
    }

    /// The directory for the logs of the steps.
    pub fn logs(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// The member with this name.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// A path relative to the root, for messages.
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

fn bare_cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| SET_BY_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix)));
        if foreign {
            command.env_remove(name);
        }
    }
    command
}
