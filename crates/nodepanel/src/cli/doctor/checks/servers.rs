//! Where the game servers' files are.

use std::path::Path;

use nodepanel_agent::{ELSEWHERE, ServersPlace, survey};

use super::{Finding, Verdict};

/// Where the servers' files are, and whether their own users can reach them.
pub(super) fn place(data_dir: &Path) -> Finding {
    let root = rustix::process::geteuid().is_root();
    let fine = |text: String| Finding::new("servers", Verdict::Fine, text);
    let wrong = |text: String| Finding::new("servers", Verdict::Wrong, text);
    let own_users = "every game server runs as a user of its own";
    match survey(data_dir) {
        Err(error) => wrong(format!("The game servers' files cannot be looked at: {error}.")),
        Ok(ServersPlace::Gone { target }) => wrong(format!(
            "The game servers' files were in {target}, which is not there, and the agent does not begin without them. \
             Mount it or put it back; to begin without them, remove the link agent/servers in the data directory.",
            target = target.display()
        )),
        Ok(ServersPlace::Unmade { closed: Some(closed) }) if root => fine(format!(
            "Other users may not pass through {}, and {own_users}: their files will be kept in a directory below \
             {ELSEWHERE}.",
            closed.display()
        )),
        Ok(ServersPlace::Within { closed: Some(closed) }) if root => wrong(format!(
            "Game servers cannot start: other users may not pass through {closed}, and {own_users}. Stop NodePanel with \
             `nodepanel stop --all` and start it again: it moves their files below {ELSEWHERE} when that is on the same \
             disk. Or run chmod o+x {closed}.",
            closed = closed.display()
        )),
        Ok(ServersPlace::Elsewhere { target, closed: Some(closed) }) if root => wrong(format!(
            "Game servers cannot start: their files are in {}, other users may not pass through {closed}, and \
             {own_users}. Run chmod o+x {closed}.",
            target.display(),
            closed = closed.display()
        )),
        Ok(ServersPlace::Elsewhere { target, .. }) => fine(format!(
            "The game servers' files are in {}, outside of the data directory, through which their own users could not \
             pass. Back up both.",
            target.display()
        )),
        Ok(ServersPlace::Unmade { .. } | ServersPlace::Within { .. }) => {
            fine("The game servers' files are below the data directory, where they can be reached.".to_owned())
        }
    }
}
