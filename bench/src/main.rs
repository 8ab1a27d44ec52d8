//! Measures a whole installation from outside: the binary that users run (`NODEPANEL_BIN`), in a directory of its own,
//! on free ports, asked over HTTP as the panel asks it.
//!
//! `nodepanel-bench [--json] [FILTER]` prints one figure a line; progress goes to the standard error. It checks nothing
//! and proves nothing: whether a figure is good is for the reader. Whatever it started, it stops.

mod client;
mod clock;
mod console;
mod figure;
mod game;
mod installation;
mod load;
mod measure;
mod process;
mod seed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::measure::Measure;

#[derive(Debug, Parser)]
#[command(about = "Measures a whole installation from outside", args_conflicts_with_subcommands = true)]
struct CommandLine {
    /// One JSON object a line instead of words
    #[arg(long)]
    json: bool,
    /// Only the measurements whose name contains this: start, console, viewers, api, recovery, memory
    filter: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be the game that is measured
    #[command(hide = true)]
    Play,
}

fn main() -> anyhow::Result<ExitCode> {
    let born = clock::nanos();
    let arguments = CommandLine::parse();
    if matches!(arguments.command, Some(Command::Play)) {
        game::play(born)?;
        return Ok(ExitCode::SUCCESS);
    }
    // One thread: the machine's other cores belong to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        tokio::select! {
            code = run(&arguments) => code,
            // What was started is stopped all the same: it goes with the measurement that is given up here.
            () = interrupted() => ExitCode::FAILURE,
        }
    }))
}

/// Ctrl-C, or the end that somebody else asks for.
async fn interrupted() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

/// Takes the measurements one after the other; one that fails does not keep the others from being taken.
async fn run(arguments: &CommandLine) -> ExitCode {
    let wanted = |measure: &&Measure| arguments.filter.as_deref().is_none_or(|filter| measure.name().contains(filter));
    let mut good = true;
    for measure in Measure::ALL.iter().filter(wanted) {
        eprintln!("  measuring {} (load average {:.2})", measure.name(), process::load_average());
        match measure.take().await {
            Ok(figures) => figures.iter().for_each(|figure| figure.print(arguments.json)),
            Err(error) => {
                good = false;
                eprintln!("  {} failed: {error:#}", measure.name());
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
