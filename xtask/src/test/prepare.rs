//! Everything that must be there before the first test runs: Debian packages, npm packages, the panel, the binaries.
//!
//! What cannot be had is noted against the parts that need it, so that the others still run.

use std::time::Duration;

use crate::npm::Project;
use crate::workspace::Workspace;
use crate::{debian, etcd, machine, panel, step};

use super::Part;
use super::summary::Summary;

const BUILD_LIMIT: Duration = step::minutes(60);

/// What the preparation came to.
#[derive(Debug, Default)]
pub struct Ready {
    lacks: Vec<(Part, String)>,
}

impl Ready {
    /// Why a part cannot run, if it cannot.
    pub fn lacking(&self, part: Part) -> Option<String> {
        self.lacks.iter().find(|(lacking, _)| *lacking == part).map(|(_, reason)| reason.clone())
    }

    fn lack(&mut self, parts: &[Part], reason: &str) {
        self.lacks.extend(parts.iter().map(|part| (*part, reason.to_owned())));
    }
}

/// Prepares the wanted parts.
///
/// # Errors
///
/// When the machine lacks what everything needs.
pub fn run(workspace: &Workspace, wanted: impl Fn(Part) -> bool, summary: &mut Summary) -> anyhow::Result<Ready> {
    machine::check()?;
    let mut ready = Ready::default();
    if wanted(Part::Drills) || wanted(Part::Browser) {
        packages(workspace, &mut ready, summary);
    }
    if (wanted(Part::Rust) || wanted(Part::Drills))
        && let Err(error) = etcd::provide(workspace)
    {
        ready.lack(&[Part::Rust, Part::Drills], &format!("{error:#}"));
    }
    if !debian::is_root() {
        summary.note(
            "not run as root: tests of what only root may do (own user per server, control groups, network \
             namespaces) leave themselves out and say so",
        );
    }
    let npm: [(&'static str, &[Part]); 3] =
        [("web", &[Part::Web]), ("tests/games", &[Part::Drills]), ("tests/browser", &[Part::Browser])];
    for (dir, parts) in npm {
        if !parts.iter().any(|part| wanted(*part)) {
            continue;
        }
        let installed = match Project::find(&workspace.root, dir) {
            Ok(Some(project)) => project.install(&workspace.logs()),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = installed {
            ready.lack(parts, &format!("{error:#}"));
        }
    }
    let running = [Part::Rust, Part::Drills, Part::Browser];
    if running.iter().any(|part| wanted(*part))
        && let Err(error) = build(workspace)
    {
        ready.lack(&running, &format!("{error:#}"));
    }
    Ok(ready)
}

/// The panel first: the binary embeds it.
fn build(workspace: &Workspace) -> anyhow::Result<()> {
    if panel::find(workspace)?.is_some() {
        panel::build(workspace)?;
    }
    step::require(&workspace.logs(), "building binaries and tests", BUILD_LIMIT, &mut everything(workspace))?;
    Ok(())
}

/// Builds with one selection of packages all that tests run, so that no dependency is compiled in two variants.
fn everything(workspace: &Workspace) -> std::process::Command {
    let mut cargo = workspace.cargo(&["build"]);
    // Tests start some of the examples.
    cargo.args(["--workspace", "--bins", "--tests", "--examples"]);
    cargo
}

fn packages(workspace: &Workspace, ready: &mut Ready, summary: &mut Summary) {
    let missing = match debian::missing(&debian::FOR_TESTS) {
        Ok(missing) if missing.is_empty() => return,
        Ok(missing) => missing,
        Err(error) => {
            summary.note(format!("{error:#}"));
            return;
        }
    };
    let problem = if debian::is_root() {
        debian::install(workspace, &missing).err().map(|error| format!("{error:#}"))
    } else {
        Some("only root can install them".into())
    };
    let Some(problem) = problem else { return };
    for package in &missing {
        summary.note(format!("{} is not installed; {} need it ({problem})", package.name, package.needed_by));
    }
    summary.note(format!("to install them: {}", debian::command_for(&missing)));
    if missing.iter().any(|package| package.name == "chromium") {
        ready.lack(&[Part::Browser], "chromium is not installed");
    }
}
