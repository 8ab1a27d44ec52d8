//! Ends and removes what runs leave behind: processes of a keeper that was killed, a keeper that does not answer, empty
//! control groups.

use std::path::{Path, PathBuf};

use nodepanel_shim::place;
use nodepanel_supervise::process::{Process, Signal};
use nodepanel_types::ServerId;

/// How often processes that were killed are looked for again.
const ROUNDS: usize = 100;
/// The pause between two rounds.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(5);

/// SIGKILL to everything that the last run of `server` started. Its shim must be gone.
pub async fn end_game(server: ServerId, groups: Vec<PathBuf>) {
    for _ in 0..ROUNDS {
        let groups = groups.clone();
        match tokio::task::spawn_blocking(move || nodepanel_shim::clean_up(server, &groups)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    tracing::error!(%server, "Processes of a game server do not die of SIGKILL; they hang in the kernel");
}

/// Removes control groups that a run has left; one with a process in it stays. Blocks.
pub fn remove_groups(groups: &[PathBuf]) {
    for group in groups {
        // It may be gone, or never have been made.
        let _ = std::fs::remove_dir(group);
    }
}

/// SIGKILL to a keeper that does not answer. Blocks.
pub fn end_keeper(state_dir: &Path) {
    let Ok(Some(keeper)) = place::read_keeper(state_dir) else { return };
    match Process::adopt(&keeper.shim) {
        Ok(Some(process)) => {
            if let Err(error) = process.signal(Signal::KILL) {
                tracing::error!(%error, "A keeper that does not answer cannot be ended");
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "A keeper that does not answer cannot be found"),
    }
}
