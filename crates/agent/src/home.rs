//! Makes the agent's directory, and finds a place for the servers that their own users can reach.
//!
//! A game runs as a user of its own and must be able to walk the path to its files. Below a home directory such as
//! `/root` it cannot. `agent/servers` is then a link to a directory below `/var/lib`, which it can.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use nodepanel_types::clock::IdSource;

use crate::{error::AgentError, layout::Layout};

/// Where servers go that cannot be reached below the data directory.
const ELSEWHERE: &str = "/var/lib/nodepanel";

/// The agent's directory, held against a second agent for as long as this lives.
#[derive(Debug)]
pub struct Home {
    /// The paths.
    pub layout: Layout,
    /// Where the servers went instead, in words for the operator.
    pub warning: Option<String>,
    _lock: File,
}

impl Home {
    /// Makes what is missing. Blocks.
    pub fn open(data_dir: &Path, own_users: bool, ids: &dyn IdSource) -> Result<Self, AgentError> {
        let absolute = std::path::absolute(data_dir)
            .map_err(|source| AgentError::Directory { path: data_dir.to_owned(), source })?;
        let layout = Layout::new(&absolute);
        let failed = |source| AgentError::Directory { path: layout.root().to_owned(), source };
        make(layout.root()).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(layout.root().join("agent.lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(AgentError::Occupied { path: layout.root().to_owned() });
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(layout.identity()).map_err(failed)?;
        let warning = place_servers(&layout, own_users, ids).map_err(failed)?;
        Ok(Self { layout, warning, _lock: lock })
    }
}

fn place_servers(layout: &Layout, own_users: bool, ids: &dyn IdSource) -> io::Result<Option<String>> {
    let servers = layout.servers();
    if !servers.try_exists()? {
        if own_users && !is_reachable(layout.root()) {
            let mut name = [0; 8];
            ids.fill(&mut name);
            let name: String = hex::encode(name);
            let elsewhere = PathBuf::from(ELSEWHERE).join(name);
            make(&elsewhere)?;
            symlink(&elsewhere, &servers)?;
        } else {
            make(&servers)?;
        }
    }
    let real = fs::canonicalize(&servers)?;
    Ok(servers.is_symlink().then(|| {
        format!(
            "The game servers' files are in {}: their own users cannot reach a directory below {}.",
            real.display(),
            layout.root().display()
        )
    }))
}

fn make(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o711).create(directory)
}

/// Whether any user may walk through every directory on the way.
fn is_reachable(directory: &Path) -> bool {
    directory.ancestors().all(|on_the_way| fs::metadata(on_the_way).is_ok_and(|found| found.mode() & 0o001 != 0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_private_directory_on_the_way_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("inner");
        make(&inner).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_reachable(&inner));
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!is_reachable(&inner));
    }
}
