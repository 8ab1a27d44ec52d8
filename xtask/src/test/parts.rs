//! Running one part of the tests and reading what its runner reports.

use std::process::Command;
use std::time::Duration;

use crate::npm::Project;
use crate::step::{self, Echo};
use crate::workspace::Workspace;

use super::Part;
use super::summary::{Row, Verdict};
use super::tally;

/// The package of the tests that start a whole NodePanel.
const WHOLE: &str = "nodepanel-tests";
const LIMIT: Duration = step::minutes(25);

/// The part's name in the summary.
pub fn name(part: Part) -> &'static str {
    match part {
        Part::Rust => "rust",
        Part::Web => "panel",
        Part::Drills => "integration and drills",
        Part::Browser => "browser",
        Part::Lint => "lint",
    }
}

/// Runs a part whose preparation is done.
///
/// # Errors
///
/// When a runner cannot be started.
pub fn run(workspace: &Workspace, part: Part) -> anyhow::Result<Vec<Row>> {
    match part {
        Part::Rust => rust(workspace),
        Part::Drills => Ok(vec![match drills(workspace) {
            Some(command) => runner(workspace, name(part), command)?,
            None => absent(part, &format!("this source tree has no package {WHOLE}")),
        }]),
        Part::Web => npm(workspace, part, "web"),
        Part::Browser => npm(workspace, part, "tests/browser"),
        // Checks are no tests; `run` hands them to `lint`.
        Part::Lint => Ok(Vec::new()),
    }
}

/// The crates' own tests, and the examples in their documentation, which nextest does not run.
fn rust(workspace: &Workspace) -> anyhow::Result<Vec<Row>> {
    let whole_exists = workspace.package(WHOLE).is_some();
    if !workspace.has_cargo_subcommand("nextest") {
        let mut command = workspace.cargo(&["test"]);
        command.args(["--workspace", "--no-fail-fast"]);
        if whole_exists {
            command.args(["--exclude", WHOLE]);
        }
        return Ok(vec![runner(workspace, "rust", command)?]);
    }
    let mut tests = nextest(workspace);
    if whole_exists {
        tests.args(["-E", &format!("not package({WHOLE})")]);
    }
    let mut documentation = workspace.cargo(&["test"]);
    documentation.args(["--workspace", "--no-fail-fast", "--doc"]);
    Ok(vec![runner(workspace, "rust", tests)?, runner(workspace, "rust documentation", documentation)?])
}

/// The tests of a whole NodePanel. All selections keep the whole workspace, so that nothing is compiled again.
fn drills(workspace: &Workspace) -> Option<Command> {
    let package = workspace.package(WHOLE)?;
    let mut command = if workspace.has_cargo_subcommand("nextest") {
        let mut command = nextest(workspace);
        command.args(["-E", &format!("package({WHOLE})")]);
        command
    } else {
        let mut command = workspace.cargo(&["test"]);
        command.args(["--workspace", "--no-fail-fast"]);
        for target in package.targets.iter().filter(|target| target.is("test")) {
            command.args(["--test", &target.name]);
        }
        command
    };
    command.env("NODEPANEL_BIN", workspace.binary("debug"));
    Some(command)
}

fn nextest(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo(&["nextest", "run"]);
    command.args(["--workspace", "--no-fail-fast"]);
    command
}

fn npm(workspace: &Workspace, part: Part, dir: &'static str) -> anyhow::Result<Vec<Row>> {
    let Some(project) = Project::find(&workspace.root, dir)? else {
        return Ok(vec![absent(part, &format!("this source tree has no {dir}/package.json"))]);
    };
    if !project.has_script("test") {
        let reason = format!("{dir}/package.json has no script `test`");
        return Ok(vec![Row::new(name(part), Verdict::Failed(reason))]);
    }
    let mut command = project.script("test");
    command.env("CI", "true").env("NODEPANEL_BIN", workspace.binary("debug"));
    Ok(vec![runner(workspace, name(part), command)?])
}

fn absent(part: Part, reason: &str) -> Row {
    Row::new(name(part), Verdict::Skipped(reason.to_owned()))
}

fn runner(workspace: &Workspace, name: &str, mut command: Command) -> anyhow::Result<Row> {
    println!();
    let outcome = step::observe(&workspace.logs(), name, Echo::Live, LIMIT, &mut command)?;
    let report = tally::read(&outcome.output);
    let verdict = match &report {
        _ if !outcome.success() => Verdict::Failed(format!("{}; log: {}", outcome.reason(), outcome.log.display())),
        None => Verdict::Failed("the runner ended well but reported no tests".into()),
        Some(report) if report.tally.failed > 0 => Verdict::Failed("the runner reported failures".into()),
        Some(_) => Verdict::Passed,
    };
    Ok(Row::new(name, verdict).after(outcome.took).with(report))
}
