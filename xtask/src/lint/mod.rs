//! `cargo xtask lint`: every check that needs no running program.
//!
//! All checks run, whatever the ones before found; a check that cannot run says why and counts as failed, unless its
//! tool is optional.

mod dependencies;
mod directions;
mod length;
mod lockfiles;

use std::fmt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::npm::Project;
use crate::step::{self, Echo, seconds};
use crate::workspace::Workspace;
use crate::{exit_code, generate, machine, panel};

const LIMIT: Duration = step::minutes(45);

/// What a check came to.
enum Finding {
    Good,
    /// Nothing is wrong, but a person should read this.
    Remarks(Vec<String>),
    /// It did not run, and need not.
    NotRun(String),
    Bad(Vec<String>),
}

impl From<anyhow::Error> for Finding {
    fn from(error: anyhow::Error) -> Self {
        Self::Bad(vec![format!("{error:#}")])
    }
}

/// Runs all checks.
///
/// # Errors
///
/// When the machine lacks what every check needs.
pub fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    println!("Checking");
    machine::check()?;
    let mut report = Report::default();
    // First, because the panel is embedded: even clippy wants it to be there.
    report.add("panel builds", || build_panel(workspace));
    report.add("formatting", || program(workspace, "cargo fmt", &mut workspace.cargo(&["fmt", "--all", "--check"])));
    report.add("crate directions", || list(directions::forbidden_edges(&workspace.packages)));
    report.add("unused dependencies", || dependencies::unused(&workspace.packages).map_or_else(Finding::from, list));
    report.add("lock files", || lockfiles::foreign_sources(workspace).map_or_else(Finding::from, list));
    report.add("file length", || length::long_files(workspace).map_or_else(Finding::from, remarks));
    report.add("clippy", || program(workspace, "clippy", &mut clippy(workspace)));
    report.add("cargo deny", || deny(workspace));
    report.add("panel types (tsc)", || script(workspace, "typecheck"));
    report.add("panel eslint", || script(workspace, "lint"));
    report.add("generated files", || generated(workspace));
    print!("{report}");
    Ok(exit_code(report.is_good()))
}

fn build_panel(workspace: &Workspace) -> Finding {
    match panel::find(workspace) {
        Ok(Some(_)) => panel::build(workspace).map_or_else(Finding::from, |()| Finding::Good),
        Ok(None) => Finding::NotRun("this source tree has no web/package.json".into()),
        Err(error) => error.into(),
    }
}

fn clippy(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo(&["clippy"]);
    command.args(["--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"]);
    command
}

fn deny(workspace: &Workspace) -> Finding {
    if !workspace.has_cargo_subcommand("deny") {
        return Finding::NotRun("cargo-deny is not installed (cargo install --locked cargo-deny)".into());
    }
    program(workspace, "cargo deny", &mut workspace.cargo(&["deny", "check"]))
}

fn script(workspace: &Workspace, script: &str) -> Finding {
    match Project::find(&workspace.root, "web") {
        Ok(Some(web)) if web.has_script(script) => {
            program(workspace, &format!("npm run {script}"), &mut web.script(script))
        }
        Ok(Some(_)) => Finding::Bad(vec![format!("web/package.json has no script `{script}`")]),
        Ok(None) => Finding::NotRun("this source tree has no web/package.json".into()),
        Err(error) => error.into(),
    }
}

fn generated(workspace: &Workspace) -> Finding {
    match generate::changed(workspace, true) {
        Ok(stale) => list(
            stale
                .iter()
                .map(|path| format!("{} is stale: run `cargo xtask generate`", workspace.relative(path).display()))
                .collect(),
        ),
        Err(error) => error.into(),
    }
}

fn program(workspace: &Workspace, name: &str, command: &mut Command) -> Finding {
    match step::observe(&workspace.logs(), name, Echo::Live, LIMIT, command) {
        Ok(outcome) if outcome.success() => Finding::Good,
        Ok(outcome) => Finding::Bad(vec![format!("{}; log: {}", outcome.reason(), outcome.log.display())]),
        Err(error) => error.into(),
    }
}

fn list(problems: Vec<String>) -> Finding {
    if problems.is_empty() { Finding::Good } else { Finding::Bad(problems) }
}

fn remarks(remarks: Vec<String>) -> Finding {
    if remarks.is_empty() { Finding::Good } else { Finding::Remarks(remarks) }
}

#[derive(Default)]
struct Report {
    rows: Vec<(&'static str, Finding, Duration)>,
}

impl Report {
    fn add(&mut self, name: &'static str, check: impl FnOnce() -> Finding) {
        let started = Instant::now();
        let finding = check();
        self.rows.push((name, finding, started.elapsed()));
    }

    fn is_good(&self) -> bool {
        !self.rows.iter().any(|(_, finding, _)| matches!(finding, Finding::Bad(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<22} {:>12}  result", "check", "time")?;
        for (name, finding, took) in &self.rows {
            write!(f, "{name:<22} {:>12}  ", seconds(*took))?;
            let lines = match finding {
                Finding::Good => {
                    writeln!(f, "ok")?;
                    continue;
                }
                Finding::NotRun(reason) => {
                    writeln!(f, "not run: {reason}")?;
                    continue;
                }
                Finding::Remarks(lines) => {
                    writeln!(f, "ok, with remarks")?;
                    lines
                }
                Finding::Bad(lines) => {
                    writeln!(f, "FAILED")?;
                    lines
                }
            };
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        let bad = self.rows.iter().filter(|(_, finding, _)| matches!(finding, Finding::Bad(_))).count();
        writeln!(f, "\n{} checks, {bad} failed", self.rows.len())
    }
}
