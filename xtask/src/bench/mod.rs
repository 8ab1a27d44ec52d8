//! `cargo xtask bench`: run the bench programs in the release profile and print their figures.
//!
//! A bench program is a target of ours named `bench` or `<what>_bench` (an example, or a binary of the tests' package).
//! With `--json` it prints one document in the form of [`figures::Document`] on its standard output, and nothing else
//! there; the lines of one that knows no `--json` are passed on as they are. What it measures is its own business;
//! this collects and shows.

mod figures;
mod machine;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::workspace::{Package, Workspace};
use crate::{exit_code, panel, step};

use self::figures::{Document, Figure};
use self::machine::Machine;

const BUILD_LIMIT: Duration = step::minutes(60);

/// The command line of `bench`.
#[derive(Debug, Args)]
pub struct Options {
    /// Print one JSON document instead of tables; progress goes to the standard error
    #[arg(long)]
    json: bool,
    /// Only the programs whose name contains this
    filter: Option<String>,
}

/// What a run prints with `--json`.
#[derive(Debug, Serialize)]
struct Results {
    machine: Machine,
    programs: Vec<ProgramResult>,
}

#[derive(Debug, Serialize)]
struct ProgramResult {
    program: String,
    #[serde(flatten)]
    output: Output,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// What a program printed.
#[derive(Debug, Default, Serialize, PartialEq)]
struct Output {
    figures: Vec<Figure>,
    /// What is said in words only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
}

/// Runs the bench programs.
///
/// # Errors
///
/// When they do not compile. A program that fails is in the results with its reason, and makes the exit code 1.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    let mut programs = programs(&workspace.packages);
    if let Some(filter) = &options.filter {
        programs.retain(|program| program.label().contains(filter.as_str()));
    }
    if programs.is_empty() {
        bail!("no bench program matches: they are targets named `bench` or `<what>_bench`");
    }
    build(workspace, &programs)?;
    let mut results = Results { machine: Machine::here(), programs: Vec::new() };
    for program in &programs {
        eprintln!("  running {}", program.label());
        let outcome = measure(workspace, program);
        let failure = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let output = outcome.unwrap_or_default();
        results.programs.push(ProgramResult { program: program.label(), output, failure });
    }
    let good = results.programs.iter().all(|program| program.failure.is_none());
    if options.json {
        println!("{}", serde_json::to_string_pretty(&results).context("the results are no JSON")?);
    } else {
        print_tables(&results);
    }
    Ok(exit_code(good))
}

/// A target that measures something.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    package: String,
    target: String,
    example: bool,
}

impl Program {
    fn label(&self) -> String {
        format!("{}/{}", self.package, self.target)
    }

    fn path(&self, workspace: &Workspace) -> PathBuf {
        let dir = workspace.target.join("release");
        if self.example { dir.join("examples").join(&self.target) } else { dir.join(&self.target) }
    }
}

fn programs(packages: &[Package]) -> Vec<Program> {
    let measures = |name: &str| name == "bench" || name.ends_with("_bench") || name.ends_with("-bench");
    packages
        .iter()
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
        .filter(|(_, target)| measures(&target.name) && (target.is("example") || target.is("bin")))
        .map(|(package, target)| Program {
            package: package.name.clone(),
            target: target.name.clone(),
            example: target.is("example"),
        })
        .collect()
}

fn build(workspace: &Workspace, programs: &[Program]) -> anyhow::Result<()> {
    if panel::find(workspace)?.is_some() {
        panel::build(workspace)?;
    }
    let mut cargo = workspace.cargo(&["build"]);
    cargo.args(["--release", "--workspace", "--bin", "nodepanel"]);
    for program in programs {
        cargo.args([if program.example { "--example" } else { "--bin" }, &program.target]);
    }
    step::require(&workspace.logs(), "building the bench programs", BUILD_LIMIT, &mut cargo)?;
    Ok(())
}

fn measure(workspace: &Workspace, program: &Program) -> anyhow::Result<Output> {
    let path = program.path(workspace);
    let output = Command::new(&path)
        .arg("--json")
        .env("NODEPANEL_BIN", workspace.binary("release"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be started", path.display()))?;
    if !output.status.success() {
        bail!("{} ended with {}", program.label(), output.status);
    }
    understand(&output.stdout).with_context(|| format!("the figures of {} cannot be understood", program.label()))
}

fn understand(stdout: &[u8]) -> anyhow::Result<Output> {
    if stdout.trim_ascii().is_empty() {
        bail!("it printed nothing");
    }
    if stdout.trim_ascii_start().starts_with(b"{") {
        let document: Document = serde_json::from_slice(stdout)?;
        return Ok(Output { figures: document.figures, lines: Vec::new() });
    }
    let lines = String::from_utf8_lossy(stdout).lines().map(str::to_owned).collect();
    Ok(Output { figures: Vec::new(), lines })
}

fn print_tables(results: &Results) {
    println!("{}", results.machine);
    for program in &results.programs {
        println!("\n{}", program.program);
        if let Some(failure) = &program.failure {
            println!("  FAILED: {failure}");
        }
        for figure in &program.output.figures {
            println!("  {figure}");
        }
        for line in &program.output.lines {
            println!("  {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Target;

    #[test]
    fn bench_programs_are_found_by_name() {
        let target = |name: &str, kind: &str| Target { name: name.into(), kind: vec![kind.into()] };
        let package = Package {
            name: "nodepanel-store".into(),
            manifest_path: "/x/Cargo.toml".into(),
            dependencies: Vec::new(),
            targets: vec![target("store_bench", "example"), target("benchmark", "example"), target("bench", "bench")],
        };
        let found = programs(&[package]);
        assert_eq!(found.iter().map(Program::label).collect::<Vec<_>>(), ["nodepanel-store/store_bench"]);
    }

    #[test]
    fn words_are_passed_on_and_broken_figures_are_refused() {
        let output = understand(b"one request: 0.1 ms\n").unwrap();
        assert_eq!(output.lines, ["one request: 0.1 ms"]);
        assert!(understand(br#"{"figures": [{"name": "x"}]}"#).is_err());
        assert!(understand(b"\n").is_err());
    }
}
