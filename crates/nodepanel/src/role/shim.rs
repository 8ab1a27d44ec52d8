//! `role shim`: keeps one game server. Outlives the agent that started it.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use nodepanel_types::clock::Clock;

use crate::{local::log_to_stderr, system::SystemClock};

/// Keeps the game of the order at `spec` until it has ended and that is known.
pub fn run(spec: &Path) -> anyhow::Result<()> {
    log_to_stderr();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    nodepanel_shim::run(spec, &clock).context("the game server cannot be kept")
}
