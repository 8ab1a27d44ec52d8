//! Where the locked packages come from: only from the two public registries.
//!
//! A lock file that was written behind a mirror names the mirror, and then works on one machine only.

use anyhow::Context;
use serde_json::Value;

use crate::workspace::Workspace;

const NPM: &str = "https://registry.npmjs.org/";
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM_LOCKS: [&str; 3] =
    ["web/package-lock.json", "tests/games/package-lock.json", "tests/browser/package-lock.json"];

/// Every locked package from elsewhere, one sentence each.
///
/// # Errors
///
/// When a lock file cannot be read.
pub fn foreign_sources(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let cargo = std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let mut found = foreign_crates(&cargo);
    for lock in NPM_LOCKS {
        let path = workspace.root.join(lock);
        if !path.exists() {
            continue;
        }
        let text = std::fs::read(&path).with_context(|| format!("{lock} cannot be read"))?;
        let content: Value = serde_json::from_slice(&text).with_context(|| format!("{lock} is not JSON"))?;
        found.extend(foreign_npm_packages(lock, &content));
    }
    Ok(found)
}

fn foreign_crates(lock: &str) -> Vec<String> {
    lock.lines()
        .filter_map(|line| line.strip_prefix("source = ").map(|source| source.trim_matches('"')))
        .filter(|source| *source != CRATES)
        .map(|source| format!("Cargo.lock: {source} is not crates.io"))
        .collect()
}

fn foreign_npm_packages(lock: &str, content: &Value) -> Vec<String> {
    let packages = content.get("packages").and_then(Value::as_object);
    packages
        .into_iter()
        .flatten()
        .filter_map(|(name, package)| {
            let source = package.get("resolved")?.as_str()?;
            (!source.starts_with(NPM)).then(|| format!("{lock}: {name} comes from {source}, not from {NPM}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_found() {
        let lock = serde_json::json!({"packages": {
            "": {"name": "web"},
            "node_modules/a": {"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz"},
            "node_modules/b": {"resolved": "https://npm.example/b/-/b-1.0.0.tgz"},
        }});
        let found = foreign_npm_packages("web/package-lock.json", &lock);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("node_modules/b"), "{found:?}");
    }

    #[test]
    fn a_crate_from_elsewhere_is_found() {
        let lock = format!("source = \"{CRATES}\"\nsource = \"git+https://example.org/x\"\n");
        assert_eq!(foreign_crates(&lock), ["Cargo.lock: git+https://example.org/x is not crates.io"]);
    }
}
