//! A directory with a `package.json`: installing its packages and running its scripts.
//!
//! `npm ci` runs only when the lock file differs from the one that `node_modules` was made from. The note of that
//! is kept inside `node_modules`, so that it disappears together with it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::step;

/// A cold cache and a slow line must do.
const INSTALL_LIMIT: Duration = step::minutes(15);

/// A directory with a `package.json`.
#[derive(Debug)]
pub struct Project {
    name: &'static str,
    dir: PathBuf,
    manifest: serde_json::Value,
}

impl Project {
    /// The project in `dir` under `root`, or `None` when there is no `package.json`.
    ///
    /// # Errors
    ///
    /// When there is one that is not JSON.
    pub fn find(root: &Path, dir: &'static str) -> anyhow::Result<Option<Self>> {
        let path = root.join(dir).join("package.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).with_context(|| format!("{dir}/package.json cannot be read"))?;
        let manifest = serde_json::from_slice(&text).with_context(|| format!("{dir}/package.json is not JSON"))?;
        Ok(Some(Self { name: dir, dir: root.join(dir), manifest }))
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether its `package.json` has this script.
    pub fn has_script(&self, script: &str) -> bool {
        self.manifest.get("scripts").is_some_and(|scripts| scripts.get(script).is_some())
    }

    /// `npm run <script>` in its directory.
    pub fn script(&self, script: &str) -> Command {
        let mut command = Command::new("npm");
        command.current_dir(&self.dir).args(["run", "--silent", script]);
        command
    }

    /// Installs exactly what the lock file names, unless that is already so.
    ///
    /// # Errors
    ///
    /// When there is no lock file, or npm fails.
    pub fn install(&self, logs: &Path) -> anyhow::Result<()> {
        let lock = self.dir.join("package-lock.json");
        let Ok(lock) = std::fs::read(&lock) else {
            bail!("{}/package-lock.json is missing: run `npm install` there and commit it", self.name);
        };
        let mut hasher = DefaultHasher::new();
        lock.hash(&mut hasher);
        let stamp = Stamp::new(self.dir.join("node_modules/.installed-from"), hasher.finish());
        if stamp.is_fresh() {
            println!("  npm ci in {} not needed: the lock file has not changed", self.name);
            return Ok(());
        }
        let mut command = Command::new("npm");
        command.current_dir(&self.dir).args(["ci", "--no-audit", "--no-fund"]);
        step::require(logs, &format!("npm ci in {}", self.name), INSTALL_LIMIT, &mut command)?;
        stamp.write()
    }
}

/// A file that says from what something was made.
#[derive(Debug)]
pub struct Stamp {
    path: PathBuf,
    value: String,
}

impl Stamp {
    /// The stamp at `path` for something made from what hashes to `hash`.
    pub fn new(path: PathBuf, hash: u64) -> Self {
        Self { path, value: format!("{hash:016x}\n") }
    }

    /// Whether it was made from just that.
    pub fn is_fresh(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|found| found == self.value)
    }

    /// Notes that it has now been made.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        std::fs::write(&self.path, &self.value).with_context(|| format!("{} cannot be written", self.path.display()))
    }
}
