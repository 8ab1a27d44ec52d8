//! Where an installation of a test lives: a directory and a loopback address that nobody else has.
//!
//! Linux answers on all of 127.0.0.0/8, so every installation listens on the usual ports of an address of its own, and
//! the game ports of two tests cannot meet.

use std::{
    fs::Permissions,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU8, Ordering},
};

use tempfile::TempDir;

const HTTP: u16 = 8080;
const LINK: u16 = 8081;

/// A directory and an address.
pub struct Place {
    directory: TempDir,
    address: Ipv4Addr,
}

impl Place {
    /// A new place.
    pub fn new() -> Self {
        // Game servers run as users of their own, who must be able to pass through.
        let directory = tempfile::Builder::new()
            .prefix("nodepanel-test-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        Self { directory, address: free_address() }
    }

    /// The data directory; made by NodePanel.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The directory around it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where the API listens.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.address), HTTP)
    }
}

/// Every process has 256 thousand addresses of its own to choose from, as long as process ids differ in 16 bits.
fn free_address() -> Ipv4Addr {
    static TAKEN: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    loop {
        let address = Ipv4Addr::new(127, TAKEN.fetch_add(1, Ordering::Relaxed).max(1), high, low.max(1));
        if [HTTP, LINK].iter().all(|port| TcpListener::bind((address, *port)).is_ok()) {
            return address;
        }
    }
}
