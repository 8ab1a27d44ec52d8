//! `role shim`: keeps one game server. Outlives the agent that started it, and goes on as later builds of itself.

use std::{ffi::OsString, path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use nodepanel_types::clock::Clock;

use crate::system::SystemClock;

/// Runs the shim when the command line asks for it: `nodepanel role shim --spec PATH`, and from shim to shim with
/// `--try` or `--go-on LOCK` after that. There is one for every game server: the parser and the log of the other roles
/// would take memory and time in each.
pub fn if_asked() -> Option<ExitCode> {
    let (spec, mode) = super::spec_and_mode_for("shim")?;
    match run(&spec, &mode) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            crate::cli::output::note(format_args!("{error:#}"));
            Some(ExitCode::FAILURE)
        }
    }
}

/// Keeps the game of the order at `spec` until it has ended and that is known.
pub fn run(spec: &Path, mode: &[OsString]) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let kept = match mode {
        [] => nodepanel_shim::run(spec, &clock),
        [mode] if mode == "--try" => nodepanel_shim::can_go_on(),
        [mode, lock] if mode == "--go-on" => {
            let lock = lock.to_str().and_then(|lock| lock.parse().ok()).context("the lock is not a number")?;
            nodepanel_shim::go_on(spec, lock, &clock)
        }
        _ => anyhow::bail!("this build does not know how to keep a game server in that way"),
    };
    kept.context("the game server cannot be kept")
}
