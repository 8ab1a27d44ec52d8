//! Dependencies that a package declares but never names in its sources.
//!
//! A word search, not a compiler: it can miss one whose name is also an ordinary word, but what it finds is unused.

use std::path::Path;

use anyhow::Context;

use crate::panel::files_below;
use crate::workspace::{Dependency, Package};

/// The dependencies that no source file of their package names, one sentence a package.
///
/// # Errors
///
/// When a source file cannot be read.
pub fn unused(packages: &[Package]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for package in packages {
        let sources = sources(package.manifest_path.parent().unwrap_or(Path::new(".")))?;
        let is_unused = |dependency: &&Dependency| {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
            !sources.iter().any(|source| names(source, &name))
        };
        let unused: Vec<&str> = package.dependencies.iter().filter(is_unused).map(|it| it.name.as_str()).collect();
        if !unused.is_empty() {
            found.push(format!("{} declares and never uses {}", package.name, unused.join(", ")));
        }
    }
    Ok(found)
}

fn sources(dir: &Path) -> anyhow::Result<Vec<String>> {
    files_below(dir, &["target", "node_modules"])?
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display())))
        .collect()
}

/// Whether `name` occurs as a whole word outside a comment line.
fn names(source: &str, name: &str) -> bool {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//!"))
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_count() {
        assert!(names("use serde_json::Value;", "serde_json"));
        assert!(names("#[tokio::main]", "tokio"));
        assert!(!names("use serde_json::Value;", "serde"));
        assert!(!names("//! uses tokio", "tokio"));
    }
}
