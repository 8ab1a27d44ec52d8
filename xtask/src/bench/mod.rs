//! `cargo xtask bench`: run the bench programs in the release profile and print their figures.
//!
//! A bench program is a `[[bench]]` target of ours without a harness, or an example or binary named `bench` or
//! `<what>_bench`. With `--json` it prints one [`Figure`] a line on its standard output; lines that are no JSON are
//! passed on as words. What it measures is its own business; this collects and shows.

mod figures;
mod machine;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::workspace::{Package, Target, Workspace};
use crate::{exit_code, panel, step};

use self::figures::Figure;
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
    /// What the programs are told: `-- start` takes only that measurement of `nodepanel-bench`
    #[arg(last = true)]
    arguments: Vec<String>,
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
        bail!("no bench program matches: they are benches, or examples and binaries named `<what>_bench`");
    }
    let built = build(workspace, &programs)?;
    let mut results = Results { machine: Machine::here(), programs: Vec::new() };
    for program in &programs {
        eprintln!("  running {}", program.label());
        let outcome = measure(workspace, program, &options.arguments, &built);
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
    kind: &'static str,
}

impl Program {
    fn label(&self) -> String {
        format!("{}/{}", self.package, self.target)
    }
}

fn programs(packages: &[Package]) -> Vec<Program> {
    let measures = |name: &str| name == "bench" || name.ends_with("_bench") || name.ends_with("-bench");
    packages
        .iter()
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
        .filter_map(|(package, target)| {
            let kind = ["bench", "example", "bin"].into_iter().find(|kind| target.is(kind))?;
            (kind == "bench" || measures(&target.name)).then(|| Program {
                package: package.name.clone(),
                target: target.name.clone(),
                kind,
            })
        })
        .collect()
}

/// What cargo says of something that it built.
#[derive(Debug, Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
}

/// Builds all programs at once, and the binary that some of them start.
fn build(workspace: &Workspace, programs: &[Program]) -> anyhow::Result<Vec<Artifact>> {
    if panel::find(workspace)?.is_some() {
        panel::build(workspace)?;
    }
    let mut cargo = workspace.cargo(&["build"]);
    cargo.args(["--release", "--workspace", "--bin", "nodepanel", "--message-format=json-render-diagnostics"]);
    for program in programs {
        cargo.args([&format!("--{}", program.kind), &program.target]);
    }
    let outcome = step::require(&workspace.logs(), "building the bench programs", BUILD_LIMIT, &mut cargo)?;
    let messages = outcome.output.lines().filter(|line| line.starts_with('{'));
    Ok(messages.filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn executable<'a>(workspace: &Workspace, program: &Program, built: &'a [Artifact]) -> Option<&'a Path> {
    let package = workspace.package(&program.package)?;
    let is_it = |artifact: &&Artifact| {
        artifact.manifest_path == package.manifest_path
            && artifact.target.name == program.target
            && artifact.target.is(program.kind)
    };
    built.iter().find(is_it)?.executable.as_deref()
}

fn measure(
    workspace: &Workspace,
    program: &Program,
    arguments: &[String],
    built: &[Artifact],
) -> anyhow::Result<Output> {
    let path = executable(workspace, program, built).context("cargo built no such program")?;
    let output = Command::new(path)
        .arg("--json")
        .args(arguments)
        .env("NODEPANEL_BIN", workspace.binary("release"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be started", path.display()))?;
    if !output.status.success() {
        bail!("it ended with {}", output.status);
    }
    understand(&String::from_utf8_lossy(&output.stdout))
}

fn understand(stdout: &str) -> anyhow::Result<Output> {
    let mut output = Output::default();
    for line in stdout.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with('{') {
            let figure = serde_json::from_str(line).with_context(|| format!("this is no figure: {line}"))?;
            output.figures.push(figure);
        } else {
            output.lines.push(line.to_owned());
        }
    }
    if output == Output::default() {
        bail!("it printed nothing");
    }
    Ok(output)
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

    #[test]
    fn bench_programs_are_found_by_kind_and_name() {
        let target = |name: &str, kind: &str| Target { name: name.into(), kind: vec![kind.into()] };
        let package = Package {
            name: "nodepanel-store".into(),
            manifest_path: "/x/Cargo.toml".into(),
            dependencies: Vec::new(),
            targets: vec![target("link_bench", "example"), target("benchmark", "example"), target("store", "bench")],
        };
        let found = programs(&[package]);
        let labels: Vec<String> = found.iter().map(Program::label).collect();
        assert_eq!(labels, ["nodepanel-store/link_bench", "nodepanel-store/store"]);
    }

    #[test]
    fn words_are_passed_on_and_broken_figures_are_refused() {
        let figure = r#"{"name":"durable write","unit":"ms","median":0.13,"min":0.12,"max":1.5,"samples":5}"#;
        let output = understand(&format!("one request: 0.1 ms\n{figure}\n")).unwrap();
        assert_eq!(output.lines, ["one request: 0.1 ms"]);
        assert_eq!(output.figures.len(), 1);
        assert!(understand(r#"{"name": "x"}"#).is_err());
        assert!(understand("\n").is_err());
    }
}
