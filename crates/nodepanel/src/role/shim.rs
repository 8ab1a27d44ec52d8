//! `role shim`: keeps one game server. Outlives the agent that started it.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use nodepanel_types::clock::Clock;

use crate::system::SystemClock;

/// Runs the shim when the command line asks for it: `nodepanel role shim --spec PATH`. There is one for every game
/// server: the parser and the log of the other roles would take memory and time in each.
pub fn if_asked() -> Option<ExitCode> {
    let spec = super::spec_for("shim")?;
    match run(&spec) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            crate::cli::output::note(format_args!("{error:#}"));
            Some(ExitCode::FAILURE)
        }
    }
}

/// Keeps the game of the order at `spec` until it has ended and that is known.
pub fn run(spec: &Path) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    nodepanel_shim::run(spec, &clock).context("the game server cannot be kept")
}
