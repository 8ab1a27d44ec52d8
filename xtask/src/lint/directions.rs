//! The directions in which our crates may depend on each other.
//!
//! A crate exists to forbid a dependency; this table is what forbids it. It is the one in `docs/ARCHITECTURE.md`; an
//! exception is made by a decision record, never by an entry here alone.

use crate::workspace::{Dependency, Package};

/// Each crate and what it may use in what it ships.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("nodepanel-types", &[]),
    ("nodepanel-store", &["nodepanel-types"]),
    // It measures from outside; the store only to fill it.
    ("nodepanel-bench", &["nodepanel-types", "nodepanel-store"]),
    ("nodepanel-backbone", &["nodepanel-types"]),
    ("nodepanel-supervise", &["nodepanel-types"]),
    ("nodepanel-cluster", &["nodepanel-types", "nodepanel-supervise", "nodepanel-store"]),
    ("nodepanel-shim", &["nodepanel-types", "nodepanel-supervise"]),
    // The store is missing on purpose: a host that runs games must need nobody else's data.
    ("nodepanel-agent", &["nodepanel-types", "nodepanel-supervise", "nodepanel-backbone", "nodepanel-shim"]),
    ("nodepanel-control", &["nodepanel-types", "nodepanel-store", "nodepanel-backbone"]),
    ("nodepanel-api", &["nodepanel-types", "nodepanel-control"]),
    // It observes from outside: over the API like everybody, and the processes by their supervisor.
    ("nodepanel-drill", &["nodepanel-types", "nodepanel-supervise"]),
    (
        "nodepanel",
        &[
            "nodepanel-types",
            "nodepanel-store",
            "nodepanel-backbone",
            "nodepanel-supervise",
            "nodepanel-shim",
            "nodepanel-agent",
            "nodepanel-control",
            "nodepanel-api",
            "nodepanel-drill",
        ],
    ),
];

/// Crates that only tests use: they may use everything, and nothing that is shipped may use them.
const FOR_TESTS: [&str; 3] = ["nodepanel-simulation", "nodepanel-testkit", "nodepanel-tests"];
/// Programs for developers: they use nothing of ours.
const TOOLS: [&str; 1] = ["xtask"];

/// The dependencies that must not be, one sentence each.
pub fn forbidden_edges(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        if FOR_TESTS.contains(&name) {
            continue;
        }
        let allowed = if TOOLS.contains(&name) {
            &[]
        } else if let Some((_, allowed)) = MAY_USE.iter().find(|(member, _)| *member == name) {
            *allowed
        } else {
            found.push(format!("{name} has no rule yet: add it to the table in xtask/src/lint/directions.rs"));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            found.extend(refuse(name, dependency, allowed));
        }
    }
    found
}

fn refuse(name: &str, dependency: &Dependency, allowed: &[&str]) -> Option<String> {
    let used = dependency.name.as_str();
    let only_for_tests = dependency.kind.as_deref() == Some("dev");
    if allowed.contains(&used) || (only_for_tests && FOR_TESTS.contains(&used)) {
        return None;
    }
    if FOR_TESTS.contains(&used) {
        return Some(format!("{name} -> {used}: only [dev-dependencies] may name it"));
    }
    let allowed = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
    Some(format!("{name} -> {used} is forbidden: {name} may use {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).into(),
            rename: None,
            kind: kind.map(str::to_owned),
            path: Some("/somewhere".into()),
        };
        Package {
            name: name.into(),
            manifest_path: "/somewhere/Cargo.toml".into(),
            dependencies: uses.iter().map(dependency).collect(),
            targets: Vec::new(),
        }
    }

    #[test]
    fn the_agent_must_not_see_the_store() {
        let found =
            forbidden_edges(&[package("nodepanel-agent", &[("nodepanel-types", None), ("nodepanel-store", None)])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("nodepanel-agent -> nodepanel-store is forbidden"), "{found:?}");
    }

    #[test]
    fn not_even_in_its_tests() {
        let found = forbidden_edges(&[package("nodepanel-agent", &[("nodepanel-store", Some("dev"))])]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn the_kit_for_tests_stays_in_tests() {
        assert!(forbidden_edges(&[package("nodepanel-store", &[("nodepanel-testkit", Some("dev"))])]).is_empty());
        let found = forbidden_edges(&[package("nodepanel", &[("nodepanel-testkit", None)])]);
        assert_eq!(found, ["nodepanel -> nodepanel-testkit: only [dev-dependencies] may name it"]);
    }

    #[test]
    fn a_crate_without_a_rule_is_found() {
        let found = forbidden_edges(&[package("nodepanel-newcomer", &[])]);
        assert!(found[0].contains("no rule"), "{found:?}");
    }

    #[test]
    fn crates_of_others_are_not_ours_to_judge() {
        let mut package = package("nodepanel-types", &[("serde", None)]);
        package.dependencies[0].path = None;
        assert!(forbidden_edges(&[package]).is_empty());
    }

    #[test]
    fn the_table_has_no_cycle() {
        for (name, allowed) in MAY_USE {
            for used in allowed {
                let before = |crate_name: &str| MAY_USE.iter().position(|(member, _)| *member == crate_name).unwrap();
                assert!(before(used) < before(name), "{name} -> {used} goes backwards");
            }
        }
    }
}
