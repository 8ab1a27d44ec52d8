//! `cargo xtask generate`: the files that are made from the code and kept in the tree.
//!
//! `web/openapi.json` is what the binary says of its own API; the panel's TypeScript types are made from it. With
//! `--check` nothing is changed in the end: a file that would change is named instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::npm::Project;
use crate::workspace::Workspace;
use crate::{exit_code, panel, step};

const BUILD_LIMIT: Duration = step::minutes(60);
const SCRIPT_LIMIT: Duration = step::minutes(2);
/// The script of the panel that makes TypeScript from the `OpenAPI` document.
const SCRIPT: &str = "generate";

/// The command line of `generate`.
#[derive(Debug, Args)]
pub struct Options {
    /// Change nothing; fail when a generated file is not what the code says
    #[arg(long)]
    check: bool,
}

/// Generates, or checks.
///
/// # Errors
///
/// When a generator fails.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let changed = changed(workspace, options.check)?;
    for path in &changed {
        let word = if options.check { "stale" } else { "written" };
        println!("  {word}: {}", workspace.relative(path).display());
    }
    if options.check && !changed.is_empty() {
        eprintln!("generated files are stale: run `cargo xtask generate` and commit the result");
    }
    Ok(exit_code(!options.check || changed.is_empty()))
}

/// The generated files that differed from what the code says; with `check` they are as before afterwards.
///
/// # Errors
///
/// When a generator fails.
pub fn changed(workspace: &Workspace, check: bool) -> anyhow::Result<Vec<PathBuf>> {
    let Some(web) = panel::find(workspace)? else {
        println!("  nothing to generate: this source tree has no web/package.json");
        return Ok(Vec::new());
    };
    if !web.has_script(SCRIPT) {
        bail!("web/package.json has no script `{SCRIPT}`");
    }
    web.install(&workspace.logs())?;
    let before = Generated::read(&web)?;
    let written = write(workspace, &web);
    let after = Generated::read(&web)?;
    if check {
        before.restore(&after)?;
    }
    written?;
    Ok(before.differing(&after))
}

fn write(workspace: &Workspace, web: &Project) -> anyhow::Result<()> {
    // The same selection as the tests' build, so that nothing is compiled for this alone.
    let mut cargo = workspace.cargo(&["build"]);
    cargo.args(["--workspace", "--bins"]);
    step::require(&workspace.logs(), "building the binary for its API document", BUILD_LIMIT, &mut cargo)?;
    let binary = workspace.binary("debug");
    let output =
        Command::new(&binary).arg("openapi").output().with_context(|| format!("{} cannot be run", binary.display()))?;
    if !output.status.success() {
        bail!("nodepanel openapi failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    if let Err(error) = serde_json::from_slice::<serde_json::Value>(&output.stdout) {
        bail!("nodepanel openapi printed no JSON: {error}");
    }
    let document = web.dir().join("openapi.json");
    std::fs::write(&document, output.stdout).with_context(|| format!("{} cannot be written", document.display()))?;
    step::require(&workspace.logs(), "generating the panel's types", SCRIPT_LIMIT, &mut web.script(SCRIPT))?;
    Ok(())
}

/// The files that a generator may write: the document, and the sources of the panel.
#[derive(Debug)]
struct Generated(BTreeMap<PathBuf, Vec<u8>>);

impl Generated {
    fn read(web: &Project) -> anyhow::Result<Self> {
        let document = web.dir().join("openapi.json");
        let sources = web.dir().join("src");
        let mut files = if sources.is_dir() { panel::files_below(&sources, &[])? } else { BTreeSet::new() };
        if document.exists() {
            files.insert(document);
        }
        let read = |path: PathBuf| {
            let content = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            Ok((path, content))
        };
        Ok(Self(files.into_iter().map(read).collect::<anyhow::Result<_>>()?))
    }

    fn differing(&self, after: &Self) -> Vec<PathBuf> {
        let gone = self.0.keys().filter(|path| !after.0.contains_key(*path));
        let other = after.0.iter().filter(|(path, content)| self.0.get(*path) != Some(content)).map(|(path, _)| path);
        gone.chain(other).cloned().collect()
    }

    /// Puts everything back as it was, given what is there now.
    fn restore(&self, now: &Self) -> anyhow::Result<()> {
        for (path, content) in &self.0 {
            if now.0.get(path) != Some(content) {
                restore_file(path, content)?;
            }
        }
        for path in now.0.keys().filter(|path| !self.0.contains_key(*path)) {
            std::fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        Ok(())
    }
}

fn restore_file(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, content).with_context(|| format!("{} cannot be put back", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_leaves_the_tree_as_it_was() {
        let dir = std::env::temp_dir().join(format!("xtask-generate-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (kept, added) = (dir.join("kept"), dir.join("added"));
        let before = Generated(BTreeMap::from([(kept.clone(), b"old".to_vec())]));
        let after = Generated(BTreeMap::from([(kept.clone(), b"new".to_vec()), (added.clone(), Vec::new())]));
        for (path, content) in &after.0 {
            std::fs::write(path, content).unwrap();
        }
        assert_eq!(before.differing(&after), [added.clone(), kept.clone()]);
        before.restore(&after).unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"old");
        assert!(!added.exists());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
