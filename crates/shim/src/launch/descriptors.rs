//! Descriptors that a process inherited without wanting to.

use std::{fs, os::fd::RawFd};

/// Closes every descriptor but the standard three and `kept`. To be called before the process has opened anything of its
/// own: a shim must not hold the sockets of an agent that is long gone, and a game none of ours.
pub(crate) fn close_inherited(kept: Option<RawFd>) {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    // Collected first: the directory that is being read is one of them, and closed (again, in vain) as well.
    let inherited: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2 && Some(*descriptor) != kept)
        .collect();
    for descriptor in inherited {
        let _ = nix::unistd::close(descriptor);
    }
}
