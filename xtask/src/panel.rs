//! Building the panel: `web/` into `web/dist`, which the binary embeds.
//!
//! Vite runs only when a file below `web/` differs from what `web/dist` was made from.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::npm::{Project, Stamp};
use crate::step;
use crate::workspace::Workspace;

const BUILD_LIMIT: Duration = step::minutes(10);
/// Directories below `web/` that the build writes or does not read.
const NOT_SOURCES: [&str; 3] = ["node_modules", "dist", "coverage"];

/// The panel's project, when this tree has one.
///
/// # Errors
///
/// When its `package.json` cannot be read.
pub fn find(workspace: &Workspace) -> anyhow::Result<Option<Project>> {
    Project::find(&workspace.root, "web")
}

/// Installs the panel's packages and builds it, as far as either is needed.
///
/// # Errors
///
/// When there is no panel in this tree, or one of the two fails.
pub fn build(workspace: &Workspace) -> anyhow::Result<()> {
    let Some(web) = find(workspace)? else {
        bail!("this source tree has no panel: web/package.json is missing");
    };
    web.install(&workspace.logs())?;
    let stamp = Stamp::new(web.dir().join("node_modules/.panel-built-from"), fingerprint(web.dir())?);
    if stamp.is_fresh() && web.dir().join("dist/index.html").exists() {
        println!("  building the panel not needed: its sources have not changed");
        return Ok(());
    }
    step::require(&workspace.logs(), "building the panel", BUILD_LIMIT, &mut web.script("build"))?;
    stamp.write()
}

/// A hash over the names and contents of all sources. It need not be the same on another machine.
fn fingerprint(web: &Path) -> anyhow::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in files_below(web, &NOT_SOURCES)? {
        path.strip_prefix(web).unwrap_or(&path).hash(&mut hasher);
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// All files below `dir` in a fixed order, without the directories named in `without`.
///
/// # Errors
///
/// When a directory cannot be read.
pub fn files_below(dir: &Path, without: &[&str]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut pending = vec![dir.to_path_buf()];
    while let Some(dir) = pending.pop() {
        let entries = std::fs::read_dir(&dir).with_context(|| format!("{} cannot be read", dir.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("{} cannot be read", dir.display()))?;
            let kind = entry.file_type().with_context(|| format!("{} cannot be read", entry.path().display()))?;
            if kind.is_file() {
                found.insert(entry.path());
            } else if kind.is_dir() && !without.iter().any(|name| entry.file_name() == *name) {
                pending.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_sources_only() {
        let web = std::env::temp_dir().join(format!("xtask-panel-{}", std::process::id()));
        std::fs::create_dir_all(web.join("src")).unwrap();
        std::fs::create_dir_all(web.join("dist")).unwrap();
        std::fs::write(web.join("src/main.tsx"), "one").unwrap();
        let before = fingerprint(&web).unwrap();
        std::fs::write(web.join("dist/index.html"), "built").unwrap();
        assert_eq!(fingerprint(&web).unwrap(), before);
        std::fs::write(web.join("src/main.tsx"), "two").unwrap();
        assert_ne!(fingerprint(&web).unwrap(), before);
        std::fs::remove_dir_all(web).unwrap();
    }
}
