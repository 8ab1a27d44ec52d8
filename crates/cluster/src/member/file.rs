//! Who a host's member of the store is: `cluster/member.json` in its data directory, and the mark in its data.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use nodepanel_supervise::whole_file;
use serde::{Deserialize, Serialize};

use super::start::Found;

/// The form of the file that this program writes.
const VERSION: u32 = 1;

/// Where the parts of a member are.
#[derive(Debug, Clone)]
pub struct MemberPlace {
    data_dir: PathBuf,
}

impl MemberPlace {
    /// In the data directory of an installation.
    pub fn within(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into() }
    }

    /// What says who the member is. It is not where its data is: what removes the one leaves the other.
    pub fn file(&self) -> PathBuf {
        self.data_dir.join("cluster").join("member.json")
    }

    /// The member's own directory.
    pub fn home(&self) -> PathBuf {
        self.data_dir.join("store").join("etcd")
    }

    /// etcd's data.
    pub fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// What ties the data to [`MemberPlace::file`].
    pub fn mark(&self) -> PathBuf {
        self.home().join("mark")
    }

    /// What etcd says.
    pub fn log(&self) -> PathBuf {
        self.data_dir.join("logs").join("etcd.log")
    }
}

/// Who a host's member of the store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberFile {
    /// The form of this file.
    pub version: u32,
    /// Its name among the members: never used again once it is removed.
    pub name: String,
    /// Stands in its data, too.
    pub mark: String,
    /// The etcd to run, as a path, or a name to be found on the path.
    pub program: PathBuf,
    /// Where it listens for clients; they are told the same address.
    pub clients: SocketAddr,
    /// Where it listens for the other members; they are told the same address.
    pub peers: SocketAddr,
    /// Keys and certificates; none only in tests.
    pub tls: Option<TlsFiles>,
    /// What its data may grow to, in bytes.
    pub quota: u64,
    /// How it becomes a member when it is started for the first time.
    pub begin: Begin,
    /// It has been started: it holds data, or has lost it.
    pub begun: bool,
}

/// The keys and certificates of a member, for clients and for the other members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFiles {
    /// The authority of the installation.
    pub ca: PathBuf,
    /// The member's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The name in the certificates of all members.
    pub server_name: String,
}

/// How a member begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// With a new cluster of these.
    New(Vec<Peer>),
    /// As one of a cluster that runs and has been told of it.
    Join(Vec<Peer>),
}

/// A member, as the others reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Where it listens for the other members, such as `https://10.0.0.1:7315`.
    pub url: String,
}

/// Why it is not known who the member is.
#[derive(Debug, thiserror::Error)]
pub enum MemberFileError {
    /// It cannot be read or written.
    #[error("{} cannot be read or written: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was written by a newer program.
    #[error("{} has version {found}, and this NodePanel knows version {VERSION}: run the newer one again", .path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

impl MemberFile {
    /// What a new file says first.
    pub const VERSION: u32 = VERSION;

    /// Reads it; `None` when this host has no member.
    pub fn read(place: &MemberPlace) -> Result<Option<Self>, MemberFileError> {
        let path = place.file();
        let read = whole_file::read_json::<Self>(&path);
        match read.map_err(|source| MemberFileError::Io { path: path.clone(), source })? {
            Some(file) if file.version > VERSION => Err(MemberFileError::TooNew { path, found: file.version }),
            file => Ok(file),
        }
    }

    /// Writes it: on disk when this returns.
    pub fn write(&self, place: &MemberPlace) -> Result<(), MemberFileError> {
        let path = place.file();
        let written = make_directory(&path).and_then(|()| whole_file::replace_json(&path, self));
        written.map_err(|source| MemberFileError::Io { path, source })
    }

    /// What clients connect to.
    pub fn client_url(&self) -> String {
        self.url(self.clients)
    }

    /// What the other members connect to.
    pub fn peer_url(&self) -> String {
        self.url(self.peers)
    }

    fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// What is found where the member's data should be.
    pub fn look(&self, place: &MemberPlace) -> Result<Found, MemberFileError> {
        let path = place.mark();
        let mark = match fs::read_to_string(&path) {
            Ok(mark) => Some(mark.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(MemberFileError::Io { path, source }),
        };
        // What etcd itself takes for a member's data.
        let path = place.data().join("member").join("wal");
        let has_data = match fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(MemberFileError::Io { path, source }),
        };
        Ok(Found { mark, has_data })
    }

    /// Marks the place as this member's, and remembers that it has begun: before its first start, so that a member that
    /// may have said something is never taken for a new one.
    pub fn begin(&mut self, place: &MemberPlace) -> Result<(), MemberFileError> {
        let path = place.mark();
        let marked = make_directory(&path).and_then(|()| whole_file::replace(&path, self.mark.as_bytes()));
        marked.map_err(|source| MemberFileError::Io { path, source })?;
        self.begun = true;
        self.write(place)
    }
}

fn make_directory(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    file.parent().map_or(Ok(()), |directory| fs::DirBuilder::new().recursive(true).mode(0o700).create(directory))
}
