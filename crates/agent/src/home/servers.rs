//! Where the servers' files are: below the data directory, or, when their own users cannot reach that, elsewhere.
//!
//! A game runs as a user of its own and must be able to walk the path to its files. Below a private directory, such as
//! `/root`, it cannot. `agent/servers` is then a link to a directory that it can reach. Only the agent follows the
//! link: whatever a game gets to know is the path behind it. No permission of a directory that the operator made is
//! ever changed.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nodepanel_shim::place;
use nodepanel_types::clock::IdSource;

use super::{closed_directory, make_passable};
use crate::{error::AgentError, layout::Layout};

/// Where servers go that cannot be reached below the data directory.
pub const ELSEWHERE: &str = "/var/lib/nodepanel";
/// Names the data directory that servers elsewhere belong to, for people who come across them.
const OWNER: &str = "data-directory";

/// Where the servers' files are, and the first directory on the way that other users may not pass through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServersPlace {
    /// Nowhere yet.
    Unmade {
        /// What is closed on the way to where they would be.
        closed: Option<PathBuf>,
    },
    /// Below the data directory.
    Within {
        /// What is closed on the way.
        closed: Option<PathBuf>,
    },
    /// Where a link leads to.
    Elsewhere {
        /// Where that is.
        target: PathBuf,
        /// What is closed on the way.
        closed: Option<PathBuf>,
    },
    /// Where a link leads to, but that is not there.
    Gone {
        /// Where that was.
        target: PathBuf,
    },
}

/// Looks at the place of the servers' files below `data_dir`. Changes nothing. Blocks.
pub fn survey(data_dir: &Path) -> io::Result<ServersPlace> {
    let servers = Layout::new(data_dir).servers().to_owned();
    let closed = || closed_directory(&servers);
    match fs::read_link(&servers) {
        Ok(target) if servers.try_exists()? => Ok(ServersPlace::Elsewhere { target, closed: closed()? }),
        Ok(target) => Ok(ServersPlace::Gone { target }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ServersPlace::Unmade { closed: closed()? }),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(ServersPlace::Within { closed: closed()? }),
        Err(error) => Err(error),
    }
}

/// The place that was found or made.
#[derive(Debug)]
pub(super) struct Settled {
    /// The real path, without links.
    pub(super) path: PathBuf,
    /// Held against another agent with a copy of our data directory, when the servers are elsewhere.
    pub(super) lock: Option<File>,
    /// What the operator should know.
    pub(super) warning: Option<String>,
}

/// Finds or makes the place of the servers' files. Blocks.
pub(super) fn settle(
    layout: &Layout,
    own_users: bool,
    elsewhere: &Path,
    ids: &dyn IdSource,
) -> Result<Settled, AgentError> {
    let failed = |source| AgentError::Directory { path: layout.servers().to_owned(), source };
    finish_move(layout).map_err(failed)?;
    let data_dir = layout.root().parent().unwrap_or(layout.root());
    let refused = match survey(data_dir).map_err(failed)? {
        ServersPlace::Unmade { closed: Some(_) } if own_users => begin_elsewhere(layout, elsewhere, ids).err(),
        ServersPlace::Within { closed: Some(_) } if own_users => move_elsewhere(layout, elsewhere, ids).err(),
        ServersPlace::Gone { target } => {
            return Err(AgentError::ServersGone { link: layout.servers().to_owned(), target });
        }
        _ => None,
    };
    if let Some(reason) = &refused {
        tracing::warn!(%reason, "The game servers' files cannot be kept in {}", elsewhere.display());
    }
    let place = survey(data_dir).map_err(failed)?;
    if matches!(place, ServersPlace::Unmade { .. }) {
        make_passable(layout.servers()).map_err(failed)?;
    }
    let path = fs::canonicalize(layout.servers()).map_err(failed)?;
    let lock = match place {
        ServersPlace::Elsewhere { .. } => Some(claim(&path, data_dir)?),
        _ => None,
    };
    let closed = closed_directory(&path).map_err(failed)?;
    Ok(Settled { warning: warning(&path, lock.is_some(), closed.filter(|_| own_users), refused), path, lock })
}

fn warning(path: &Path, elsewhere: bool, closed: Option<PathBuf>, refused: Option<io::Error>) -> Option<String> {
    if let Some(closed) = closed {
        let refused = refused.map(|error| format!(" They could not be moved elsewhere: {error}.")).unwrap_or_default();
        return Some(format!(
            "Game servers cannot start: their own users may not pass through {closed}.{refused} Run chmod o+x {closed}, \
             or stop NodePanel and move its data directory to a place that other users may pass through.",
            closed = closed.display()
        ));
    }
    elsewhere.then(|| {
        format!(
            "The game servers' files are in {}: their own users may not pass through the data directory.",
            path.display()
        )
    })
}

/// A new directory elsewhere, with a link to it.
fn begin_elsewhere(layout: &Layout, elsewhere: &Path, ids: &dyn IdSource) -> io::Result<()> {
    let target = new_target(elsewhere, ids)?;
    make_passable(&target)?;
    symlink(target, layout.servers())
}

/// Moves what there is elsewhere, within a file system: the data directory was moved, or a directory above it closed.
fn move_elsewhere(layout: &Layout, elsewhere: &Path, ids: &dyn IdSource) -> io::Result<()> {
    if anything_lives(layout.servers())? {
        return Err(io::Error::other("game servers run; stop them and restart the agent"));
    }
    let target = new_target(elsewhere, ids)?;
    let draft = draft(layout);
    symlink(&target, &draft)?;
    if let Err(error) = fs::rename(layout.servers(), &target) {
        fs::remove_file(&draft)?;
        return Err(error);
    }
    finish_move(layout)
}

/// Completes a move that was interrupted between its two steps.
fn finish_move(layout: &Layout) -> io::Result<()> {
    let draft = draft(layout);
    if !draft.is_symlink() {
        return Ok(());
    }
    match fs::symlink_metadata(layout.servers()) {
        Ok(_) => fs::remove_file(draft),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(draft, layout.servers()),
        Err(error) => Err(error),
    }
}

fn draft(layout: &Layout) -> PathBuf {
    layout.root().join("servers.new")
}

/// The path of a new directory, below one that others may pass through.
fn new_target(elsewhere: &Path, ids: &dyn IdSource) -> io::Result<PathBuf> {
    make_passable(elsewhere)?;
    if let Some(closed) = closed_directory(elsewhere)? {
        return Err(io::Error::other(format!("other users may not pass through {} either", closed.display())));
    }
    let mut name = [0; 8];
    ids.fill(&mut name);
    Ok(elsewhere.join(hex::encode(name)))
}

fn anything_lives(servers: &Path) -> io::Result<bool> {
    for server in fs::read_dir(servers)? {
        let server = server?;
        if !server.file_type()?.is_dir() {
            continue;
        }
        let server = Layout::server_in(&server.path());
        let steps = fs::read_dir(server.install_steps()).into_iter().flatten().flatten().map(|step| step.path());
        for state_dir in steps.chain([server.shim()]) {
            if place::is_alive(&state_dir)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Locks servers that are elsewhere, and says whose they are.
fn claim(path: &Path, data_dir: &Path) -> Result<File, AgentError> {
    let failed = |source| AgentError::Directory { path: path.to_owned(), source };
    let lock = super::open::lock(path)?;
    fs::write(path.join(OWNER), format!("{}\n", data_dir.display())).map_err(failed)?;
    Ok(lock)
}
