//! Where the agent keeps what, below the installation's data directory.
//!
//! ```text
//! <data_dir>/agent/            the agent's own, mode 0711: others may pass through, not look
//!   agent.db                   desired state, progress, journal, statistics
//!   join-token                 one-time permission to become a node; removed when used
//!   identity/                  key and certificate
//!   servers/<id>/              one server; `servers` may be a link, see `home::servers`
//!     files/                   the game's: its home and working directory
//!     shim/                    root's: what the shim of the current run needs and leaves behind
//!     log/                     root's: the console, numbered
//!     install/steps/<n>/       root's: the same as shim/ for each step of the last installation
//!     install/log/             root's: the log of the last installation
//!     install/installed        root's: the serial that was installed last
//! ```

use std::path::{Path, PathBuf};

use nodepanel_types::ServerId;

/// The paths below one data directory.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    servers: PathBuf,
}

impl Layout {
    /// The layout below `data_dir`, the installation's data directory.
    pub fn new(data_dir: &Path) -> Self {
        let root = data_dir.join("agent");
        Self { servers: root.join("servers"), root }
    }

    /// The same, with the servers at `servers`: where they are when links are followed.
    #[must_use]
    pub fn with_servers(self, servers: PathBuf) -> Self {
        Self { servers, ..self }
    }

    /// The agent's own directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The agent's database.
    pub fn database(&self) -> PathBuf {
        self.root.join("agent.db")
    }

    /// Where a one-time permission to join is laid down.
    pub fn join_token(&self) -> PathBuf {
        self.root.join("join-token")
    }

    /// Key and certificate of the node.
    pub fn identity(&self) -> PathBuf {
        self.root.join("identity")
    }

    /// The directory of all servers.
    pub fn servers(&self) -> &Path {
        &self.servers
    }

    /// The directories of one server.
    pub fn server(&self, server: ServerId) -> ServerLayout {
        Self::server_in(&self.servers.join(server.to_string()))
    }

    /// The directories of the server whose directory is `root`.
    pub fn server_in(root: &Path) -> ServerLayout {
        ServerLayout { root: root.to_owned() }
    }
}

/// The directories of one server.
#[derive(Debug, Clone)]
pub struct ServerLayout {
    root: PathBuf,
}

impl ServerLayout {
    /// Everything of the server.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The game's own directory.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// The current run's shim: specification, token, socket, exit file.
    pub fn shim(&self) -> PathBuf {
        self.root.join("shim")
    }

    /// The console on disk.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The steps of the last installation: a directory each, whose exit file says that the step is done.
    pub fn install_steps(&self) -> PathBuf {
        self.root.join("install").join("steps")
    }

    /// Holds the serial that was installed last: for an agent that has lost its records.
    pub fn installed(&self) -> PathBuf {
        self.root.join("install").join("installed")
    }

    /// The log of the last installation.
    pub fn install_log(&self) -> PathBuf {
        self.root.join("install").join("log")
    }
}
