//! Makes the agent's directory, and holds it against a second agent.

use std::{
    fs::{self, File},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

use nodepanel_types::clock::IdSource;

use super::{make_passable, servers};
use crate::{error::AgentError, layout::Layout};

/// The name of the lock.
const LOCK: &str = "agent.lock";

/// The agent's directory, held against a second agent for as long as this lives.
#[derive(Debug)]
pub struct Home {
    /// The paths.
    pub layout: Layout,
    /// What the operator should know about the place of the servers' files.
    pub warning: Option<String>,
    _locks: [Option<File>; 2],
}

impl Home {
    /// Makes what is missing. Servers whose `own_users` cannot reach them go to a directory below `elsewhere`. Blocks.
    pub fn open(data_dir: &Path, own_users: bool, elsewhere: &Path, ids: &dyn IdSource) -> Result<Self, AgentError> {
        let absolute = std::path::absolute(data_dir)
            .map_err(|source| AgentError::Directory { path: data_dir.to_owned(), source })?;
        let layout = Layout::new(&absolute);
        let failed = |source| AgentError::Directory { path: layout.root().to_owned(), source };
        make_passable(layout.root()).map_err(failed)?;
        // It is ours; made under a strict umask it would be closed for no reason.
        if fs::metadata(layout.root()).map_err(failed)?.permissions().mode() & 0o777 == 0o700 {
            fs::set_permissions(layout.root(), fs::Permissions::from_mode(0o711)).map_err(failed)?;
        }
        let own_lock = lock(layout.root())?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(layout.identity()).map_err(failed)?;
        let settled = servers::settle(&layout, own_users, elsewhere, ids)?;
        let layout = layout.with_servers(settled.path);
        Ok(Self { layout, warning: settled.warning, _locks: [Some(own_lock), settled.lock] })
    }
}

/// Locks `directory` against another agent.
pub(super) fn lock(directory: &Path) -> Result<File, AgentError> {
    let failed = |source| AgentError::Directory { path: directory.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(directory.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(AgentError::Occupied { path: directory.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}
