//! Which process listens on an address, as far as `/proc` tells us: other users' processes stay hidden unless we
//! are root.

use std::{fs, net::SocketAddr, path::Path};

/// The process that listens on the port of `address`, in words; `None` when it cannot be found.
pub(super) fn holder_of(address: SocketAddr) -> Option<String> {
    let inodes: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, address.port()))
        .collect();
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if holds(&process.path().join("fd"), &links) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim_end()));
        }
    }
    None
}

fn holds(descriptors: &Path, links: &[String]) -> bool {
    let Ok(entries) = fs::read_dir(descriptors) else { return false };
    entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| {
        let target = target.to_string_lossy();
        links.iter().any(|link| *link == target)
    })
}

/// The inodes of the sockets that listen on `port`, from the text of `/proc/net/tcp` (proc(5)).
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            (local.ends_with(&suffix) && *state == "0A").then(|| inode.parse().ok()).flatten()
        })
        .collect()
}
