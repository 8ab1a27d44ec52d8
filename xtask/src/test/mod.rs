//! `cargo xtask test`: install what the tests need, build once, run every part, and sum up what the runners say.
//!
//! A part that fails does not keep the others from running. Nothing is left out silently: a part that does not run is
//! in the summary with its reason, and a part that exists in the tree but cannot run has failed.

mod parts;
mod prepare;
mod summary;
mod tally;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::workspace::Workspace;
use crate::{exit_code, lint};

use self::summary::{Row, Summary, Verdict};

/// The command line of `test`.
#[derive(Debug, Args)]
pub struct Options {
    /// Leave out what starts a whole NodePanel: the browser tests and the drills
    #[arg(long, conflicts_with = "only")]
    fast: bool,
    /// Run one part only
    #[arg(long)]
    only: Option<Part>,
}

/// A part of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The Rust crates' own tests and documentation examples
    Rust,
    /// The panel's unit tests
    Web,
    /// The tests of a whole NodePanel: integration, real games, quick drills
    Drills,
    /// The panel in a real browser
    Browser,
    /// The same as `cargo xtask lint`
    Lint,
}

impl Options {
    /// Why a part is left out, if it is.
    fn leaves_out(&self, part: Part) -> Option<String> {
        match self.only {
            Some(only) if only != part => Some("not asked for (--only)".into()),
            None if self.fast && matches!(part, Part::Browser | Part::Drills) => Some("left out by --fast".into()),
            _ => None,
        }
    }
}

/// Runs the tests.
///
/// # Errors
///
/// When a runner cannot even be started. Failing tests are not an error but the exit code 1.
pub fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<ExitCode> {
    if options.only == Some(Part::Lint) {
        return lint::run(workspace);
    }
    let wanted = |part: Part| options.leaves_out(part).is_none();

    println!("Preparing");
    let mut summary = Summary::default();
    let ready = prepare::run(workspace, wanted, &mut summary)?;

    for part in [Part::Rust, Part::Web, Part::Drills, Part::Browser] {
        if let Some(reason) = options.leaves_out(part) {
            summary.add(Row::new(parts::name(part), Verdict::Skipped(reason)));
        } else if let Some(reason) = ready.lacking(part) {
            summary.add(Row::new(parts::name(part), Verdict::Failed(reason)));
        } else {
            for row in parts::run(workspace, part)? {
                summary.add(row);
            }
        }
    }

    print!("{summary}");
    Ok(exit_code(summary.is_good()))
}
