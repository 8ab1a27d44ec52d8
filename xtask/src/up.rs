//! `cargo xtask up`: build everything, then become the binary that runs it.
//!
//! What runs then, and what it prints, is the binary's own `up`; this process is replaced by it, so that signals and
//! the exit code are the binary's.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::workspace::Workspace;
use crate::{machine, panel, step};

/// Two cores and a cold cache take some ten minutes.
const BUILD_LIMIT: Duration = step::minutes(60);

/// The command line of `up`.
#[derive(Debug, Args)]
pub struct Options {
    /// Where the installation keeps everything it must not lose
    #[arg(long, default_value = "./data")]
    data_dir: PathBuf,
    /// The address of the panel and the API
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Stop the game servers too when this ends (Ctrl-C); without it they go on running
    #[arg(long)]
    stop_servers: bool,
    /// Build without optimisation: sooner ready, slower to run
    #[arg(long)]
    debug: bool,
}

/// Builds, then replaces this process by `nodepanel up`.
///
/// # Errors
///
/// When something is missing on the machine, or a build fails.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    println!("Checking this machine");
    machine::check()?;
    println!("Building (the first time takes some minutes; the logs are in {})", workspace.logs().display());
    panel::build(workspace)?;
    let profile = if options.debug { "debug" } else { "release" };
    let mut cargo = workspace.cargo(&["build"]);
    cargo.args(["--package", "nodepanel", "--bin", "nodepanel"]);
    if !options.debug {
        cargo.arg("--release");
    }
    step::require(&workspace.logs(), "building the binary", BUILD_LIMIT, &mut cargo)?;

    let binary = workspace.binary(profile);
    if !binary.exists() {
        bail!("cargo built no {}", binary.display());
    }
    println!("Starting {}", workspace.relative(&binary).display());
    let mut command = Command::new(&binary);
    command.arg("up").arg("--data-dir").arg(&options.data_dir).arg("--listen").arg(&options.listen);
    if options.stop_servers {
        command.arg("--stop-servers");
    }
    Err(command.exec()).with_context(|| format!("{} cannot be started", binary.display()))
}
