//! Writes files into a server's directory, whose content its game controls: no link is followed on the way.

use std::{
    io::{self, Write as _},
    os::fd::OwnedFd,
    path::{Component, Path},
};

use nodepanel_types::wire::FileSpec;
use rustix::{
    fs::{
        Access, AtFlags, CWD, Gid, Mode, OFlags, ResolveFlags, Uid, accessat, fchmod, fchown, mkdirat, openat2,
        renameat,
    },
    io::Errno,
};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path leads elsewhere.
    #[error("the file path `{path}` is not allowed: it must be relative, without `..`, and lead through no links")]
    Path {
        /// The path.
        path: String,
    },
    /// The system refused.
    #[error("the file `{path}` cannot be written")]
    Write {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Whether `path` may name a file below a server's directory.
pub fn valid_path(path: &str) -> bool {
    let safe = |part: Component<'_>| matches!(part, Component::Normal(_));
    !path.is_empty() && !path.contains('\0') && !path.ends_with('/') && Path::new(path).components().all(safe)
}

/// Writes `file` below `root`, making the directories on the way. A reader sees the old content or the new, whole.
/// `owner` is the user and group of what is made. Blocks.
pub fn write_file(root: &Path, file: &FileSpec, owner: Option<u32>) -> Result<(), FileError> {
    if !valid_path(&file.path) {
        return Err(FileError::Path { path: file.path.clone() });
    }
    try_write(root, file, owner).map_err(|errno| match errno {
        Errno::LOOP | Errno::XDEV => FileError::Path { path: file.path.clone() },
        other => FileError::Write { path: file.path.clone(), source: other.into() },
    })
}

fn try_write(root: &Path, file: &FileSpec, owner: Option<u32>) -> Result<(), Errno> {
    let root = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = Path::new(&file.path);
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let directory = make_directories(&root, path.parent().unwrap_or(Path::new("")), owner)?;
    if file.keep_existing && accessat(&directory, name, Access::EXISTS, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Ok(());
    }
    let mut draft = std::ffi::OsString::from(".nodepanel-new-");
    draft.push(name);
    let _ = rustix::fs::unlinkat(&directory, &draft, AtFlags::empty());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(&directory, &draft, flags, Mode::from_raw_mode(0o600))?;
    give(&handle, owner)?;
    fchmod(&handle, Mode::from_raw_mode(if file.executable { 0o755 } else { 0o644 }))?;
    let mut handle = std::fs::File::from(handle);
    let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    handle.write_all(file.content.as_bytes()).map_err(errno)?;
    handle.sync_data().map_err(errno)?;
    renameat(&directory, &draft, &directory, name)
}

/// Opens `path` below `root`, making what is missing of it.
fn make_directories(root: &OwnedFd, path: &Path, owner: Option<u32>) -> Result<OwnedFd, Errno> {
    let mut current = root.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    for part in path.components() {
        let Component::Normal(name) = part else { return Err(Errno::INVAL) };
        let mut made = false;
        match mkdirat(&current, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => made = true,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let next = openat2(&current, name, flags, Mode::empty(), resolve)?;
        if made {
            give(&next, owner)?;
        }
        current = next;
    }
    Ok(current)
}

fn give(handle: &OwnedFd, owner: Option<u32>) -> Result<(), Errno> {
    match owner {
        Some(id) => fchown(handle, Some(Uid::from_raw(id)), Some(Gid::from_raw(id))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn file(path: &str, content: &str) -> FileSpec {
        FileSpec { path: path.to_owned(), content: content.to_owned(), keep_existing: false, executable: false }
    }

    #[test]
    fn a_file_is_written_replaced_and_kept() {
        let root = tempfile::tempdir().unwrap();
        write_file(root.path(), &file("a/b/c.txt", "one"), None).unwrap();
        write_file(root.path(), &file("a/b/c.txt", "two"), None).unwrap();
        let kept = FileSpec { keep_existing: true, ..file("a/b/c.txt", "three") };
        write_file(root.path(), &kept, None).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("a/b/c.txt")).unwrap(), "two");
        assert_eq!(fs::read_dir(root.path().join("a/b")).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        symlink(outside.path(), root.path().join("link")).unwrap();
        fs::write(outside.path().join("victim"), "untouched").unwrap();
        symlink(outside.path().join("victim"), root.path().join("name")).unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "", "a/", "link/x", "a\0b"] {
            let error = write_file(root.path(), &file(path, "evil"), None).unwrap_err();
            assert!(matches!(error, FileError::Path { .. } | FileError::Write { .. }), "{path}: {error}");
        }
        // A link in the place of the file itself is replaced, not followed.
        write_file(root.path(), &file("name", "new"), None).unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("victim")).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(root.path().join("name")).unwrap(), "new");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
