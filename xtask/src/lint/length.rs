//! Files that have grown too long to be read at once. A remark, not a failure: the length is a reason to look.

use std::path::Path;

use anyhow::Context;

use crate::panel::files_below;
use crate::workspace::Workspace;

/// Lines of code, tests apart, from which a file deserves a hard look.
const LIMIT: usize = 600;
const NOT_OURS: [&str; 6] = ["target", "node_modules", "dist", ".git", "data", "generated"];

/// The long files, one sentence each.
///
/// # Errors
///
/// When a file cannot be read.
pub fn long_files(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for dir in ["crates", "xtask", "web"] {
        let dir = workspace.root.join(dir);
        if !dir.is_dir() {
            continue;
        }
        for path in files_below(&dir, &NOT_OURS)? {
            if !is_code(&path) {
                continue;
            }
            let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            let lines = lines_before_tests(&text);
            if lines > LIMIT {
                let path = workspace.relative(&path).display();
                found.push(format!("{path} has {lines} lines without its tests, more than {LIMIT}"));
            }
        }
    }
    Ok(found)
}

fn is_code(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let in_tests = path.components().any(|part| part.as_os_str() == "tests");
    let test = in_tests || name == "tests.rs" || name.contains(".test.") || name.ends_with(".d.ts");
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    !test && matches!(extension, "rs" | "ts" | "tsx" | "css")
}

fn lines_before_tests(text: &str) -> usize {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        assert_eq!(lines_before_tests("a\nb\n#[cfg(test)]\nmod tests {}\n"), 2);
        assert!(is_code(Path::new("crates/api/src/lib.rs")));
        assert!(!is_code(Path::new("crates/api/tests/it/main.rs")));
        assert!(!is_code(Path::new("web/src/api.test.ts")));
    }
}
