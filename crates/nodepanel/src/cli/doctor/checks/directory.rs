//! The data directory: whether it is there, whose it is, how full its disk is, and whether the store in it is whole.

use std::{
    io::ErrorKind,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use nodepanel_control::{MasterKey, MasterKeyError};
use nodepanel_store::SqliteBackend;
use rustix::{
    fs::{Access, StatVfsMountFlags},
    io::Errno,
};

use super::{Finding, Verdict};
use crate::local::DataDir;

/// Less free space than this is wrong, less than ten times as much is weak.
const LITTLE_SPACE: u64 = 200 * 1024 * 1024;
/// The same for the places that new files need.
const FEW_FILES: u64 = 1_000;

/// Whether it is there.
pub(super) fn existence(data_dir: &DataDir) -> Finding {
    let place = data_dir.path().display();
    match std::fs::metadata(data_dir.path()) {
        Ok(metadata) if metadata.is_dir() => {
            Finding::new("data", Verdict::Fine, format!("The data directory is {place}."))
        }
        Ok(_) => {
            Finding::new("data", Verdict::Wrong, format!("{place} is no directory; name another with --data-dir."))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Finding::new(
            "data",
            Verdict::Weak,
            format!(
                "{place} does not exist yet; `nodepanel up` makes it. If you expected one, name it with --data-dir."
            ),
        ),
        Err(error) => Finding::new(
            "data",
            Verdict::Wrong,
            format!("{place} cannot be looked at: {error}. Run this as the user that runs NodePanel, or as root."),
        ),
    }
}

/// Whether its owner is the one who asks, and nobody else can write to it.
pub(super) fn permissions(data_dir: &DataDir) -> Finding {
    let finding = |verdict, text: String| Finding::new("permissions", verdict, text);
    let place = data_dir.path().display();
    let metadata = match std::fs::metadata(data_dir.path()) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return creatable(data_dir.path()),
        Err(error) => return finding(Verdict::Wrong, format!("{place} cannot be looked at: {error}.")),
    };
    let user = rustix::process::geteuid().as_raw();
    if metadata.permissions().mode() & 0o022 != 0 {
        let text =
            format!("Other users can write to {place}, and whoever can controls NodePanel. Run chmod 711 on it.");
        return finding(Verdict::Wrong, text);
    }
    if user != 0 && metadata.uid() != user {
        let owner = metadata.uid();
        let text =
            format!("{place} belongs to user {owner}, and you are user {user}. Run this and NodePanel as its owner.");
        return finding(Verdict::Wrong, text);
    }
    if user == 0 && metadata.uid() != 0 {
        let text = format!(
            "{place} belongs to user {}, and you are root: files that root makes there may be closed to its owner. Run \
             NodePanel always as the same user.",
            metadata.uid()
        );
        return finding(Verdict::Weak, text);
    }
    for part in ["", "run", "logs", "store", "agent"] {
        let path = data_dir.path().join(part);
        match rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
            // What is missing is made by the first start; what is read-only is the disk's matter.
            Ok(()) | Err(Errno::NOENT | Errno::ROFS) => {}
            Err(error) => {
                let (path, user) = (path.display(), "the user that runs NodePanel");
                return finding(
                    Verdict::Wrong,
                    format!("You may not write to {path} ({error}). Give it back to {user}."),
                );
            }
        }
    }
    finding(Verdict::Fine, format!("Only the owner of {place} can write to it, and that is you."))
}

/// Whether a directory that is missing can be made.
fn creatable(path: &Path) -> Finding {
    let parent = path.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or_else(|| Path::new("/"));
    let place = parent.display();
    match rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::new("permissions", Verdict::Fine, format!("It can be made in {place}.")),
        Err(error) => Finding::new(
            "permissions",
            Verdict::Wrong,
            format!(
                "It cannot be made in {place}: {error}. Choose another place with --data-dir, or become its owner."
            ),
        ),
    }
}

/// Whether the key that seals secrets can be used.
pub(super) fn master_key(data_dir: &DataDir) -> Finding {
    match MasterKey::load(data_dir.path()) {
        Ok(_) => Finding::new(
            "master key",
            Verdict::Fine,
            "It is there, and only its owner can read it. Keep a copy elsewhere: secrets in the store cannot be read \
             without it.",
        ),
        Err(MasterKeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            if data_dir.store().exists() {
                return Finding::new(
                    "master key",
                    Verdict::Wrong,
                    "It is missing, and there is a store whose secrets only it can open. Bring it back from a copy.",
                );
            }
            Finding::new("master key", Verdict::Fine, "There is none yet; the first start makes it.")
        }
        Err(error) => Finding::new("master key", Verdict::Wrong, format!("{error}.")),
    }
}

/// Whether there is room.
pub(super) fn disk(path: &Path) -> Finding {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or_else(|| Path::new("/"));
    let space = match rustix::fs::statvfs(there) {
        Ok(space) => space,
        Err(error) => {
            return Finding::new("disk", Verdict::Wrong, format!("{} cannot be looked at: {error}.", there.display()));
        }
    };
    if space.f_flag.contains(StatVfsMountFlags::RDONLY) {
        let text = "The file system of the data directory is mounted read-only. Mount it writable (mount -o remount,rw); if \
                    it became so by itself, look at the kernel's messages (dmesg) for a failing disk.";
        return Finding::new("disk", Verdict::Wrong, text);
    }
    if space.f_files > 0 && space.f_favail < FEW_FILES {
        let text = format!("There is room for {} more files only. Delete some.", space.f_favail);
        return Finding::new("disk", Verdict::Wrong, text);
    }
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let text = format!("{} MiB are free on the file system of the data directory.", free / (1024 * 1024));
    if free < LITTLE_SPACE {
        let meaning = "When it is full nothing can be changed, and game servers may fail to save; NodePanel goes on by itself \
                       when there is room again. Free some.";
        Finding::new("disk", Verdict::Wrong, format!("{text} {meaning}"))
    } else if free < LITTLE_SPACE * 10 {
        Finding::new("disk", Verdict::Weak, format!("{text} That is little for game servers."))
    } else {
        Finding::new("disk", Verdict::Fine, text)
    }
}

/// Whether the store of an installation that does not run is whole.
pub(super) fn store(data_dir: &DataDir) -> Finding {
    let path = data_dir.store();
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Finding::new("store", Verdict::Fine, "There is none yet; the first start makes it."),
        Err(error) => {
            let place = path.display();
            let text = format!("{place} cannot be looked at: {error}. Run this as the owner of the data directory.");
            return Finding::new("store", Verdict::Wrong, text);
        }
    }
    match SqliteBackend::inspect(&path) {
        Ok(()) => Finding::new("store", Verdict::Fine, "It was read through, and no damage was found."),
        Err(error) => {
            let mut text = error.to_string();
            if let Some(first) = text.get_mut(0..1) {
                first.make_ascii_uppercase();
            }
            Finding::new("store", Verdict::Wrong, format!("{text}."))
        }
    }
}
