//! The data directory: everything that an installation must not lose, and where each part of it is.

use std::{
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// The data directory of the Debian package, and the file that is there when it is installed.
const PACKAGED: (&str, &str) = ("/var/lib/nodepanel", "/etc/nodepanel/nodepanel.toml");

/// A data directory, absolute.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The directory as it was named, made absolute; it need not exist.
    pub fn named(path: &Path) -> anyhow::Result<Self> {
        std::path::absolute(path).map(Self).with_context(|| format!("{} is no usable path", path.display()))
    }

    /// Where it is when nobody names it: `./data`, or, where there is none, that of an installed package.
    pub fn usual() -> PathBuf {
        let here = PathBuf::from("data");
        let (packaged, installed) = PACKAGED;
        if !here.exists() && Path::new(installed).exists() { packaged.into() } else { here }
    }

    /// Makes the directory when there is none, readable for its owner only.
    pub fn create(&self) -> anyhow::Result<()> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.with_context(|| {
            format!("The data directory {} cannot be made; choose another with --data-dir.", self.0.display())
        })?;
        let metadata = std::fs::metadata(&self.0).with_context(|| format!("{} cannot be read", self.0.display()))?;
        if !metadata.is_dir() {
            anyhow::bail!("{} is no directory; choose another with --data-dir.", self.0.display());
        }
        // Game servers run as users of their own and must reach their files below it, but list nothing.
        if metadata.permissions().mode() & 0o777 == 0o700 {
            std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(0o711))
                .with_context(|| format!("The permissions of {} cannot be set", self.0.display()))?;
        }
        let probe = self.0.join(".writable");
        // As much as a file system gives away at once: an empty file fits on a full one.
        let written = std::fs::write(&probe, [0; 4_096]).and_then(|()| std::fs::remove_file(&probe));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&probe);
            anyhow::anyhow!("{}", self.complaint(&error))
        })
    }

    fn complaint(&self, error: &io::Error) -> String {
        let place = self.0.display();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                format!(
                    "The disk of the data directory {place} is full. Free some space and start again; nothing was lost."
                )
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                format!("The data directory {place} is on a read-only file system. Mount it writable and start again.")
            }
            io::ErrorKind::PermissionDenied => format!(
                "The data directory {place} belongs to another user. Start NodePanel as its owner, or choose another with \
                 --data-dir."
            ),
            _ => format!("The data directory {place} cannot be written: {error}."),
        }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store's database.
    pub fn store(&self) -> PathBuf {
        self.0.join("store").join("store.db")
    }

    /// What the nodes did, as this host remembers it.
    pub fn journal(&self) -> PathBuf {
        self.0.join("store").join("journal.db")
    }

    /// Where the local agent looks for its permission to join.
    pub fn join_token(&self) -> PathBuf {
        self.0.join("agent").join("join-token")
    }

    /// The records of this machine's agent.
    pub fn agent_database(&self) -> PathBuf {
        self.0.join("agent").join("agent.db")
    }

    /// The operator's configuration; need not exist.
    pub fn config(&self) -> PathBuf {
        self.0.join("nodepanel.toml")
    }

    /// Where the running installation answers: one URL.
    pub fn url_file(&self) -> PathBuf {
        self.0.join("run").join("url")
    }
}
