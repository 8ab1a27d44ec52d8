//! `cargo xtask`: the front door for people who build NodePanel.
//!
//! Each subcommand has a module of its own. This program only builds, checks and starts; whatever an installed
//! NodePanel needs belongs to the binary `nodepanel`.

mod bench;
mod debian;
mod etcd;
mod generate;
mod lint;
mod machine;
mod npm;
mod package;
mod panel;
mod step;
mod test;
mod up;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", about = "Build, run, test and measure NodePanel from its source")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the panel and the binary, then start everything on this machine
    Up(up::Options),
    /// Install what the tests need, then run them all
    Test(test::Options),
    /// Run every check that needs no running program
    Lint,
    /// Write the files that are generated from the code
    Generate(generate::Options),
    /// Run the benchmarks and print their figures
    Bench(bench::Options),
    /// Build the Debian package
    Package(package::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    match command {
        Command::Up(options) => up::run(&workspace, &options),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Lint => lint::run(&workspace),
        Command::Generate(options) => generate::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Package(options) => package::run(&workspace, &options),
    }
}

/// Success when `good`, else the plain failure code 1.
fn exit_code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
