//! Whether other users may walk a path. What the operator made is looked at, never changed.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Others may pass through, but not look.
const PASSABLE: u32 = 0o711;

/// The first directory on the way to `directory`, itself included, that a user without any group may not pass through.
/// Links are followed; what does not exist is not on the way.
pub fn closed_directory(directory: &Path) -> io::Result<Option<PathBuf>> {
    let absolute = std::path::absolute(directory)?;
    let Some(there) = absolute.ancestors().find(|on_the_way| on_the_way.exists()) else { return Ok(None) };
    let real = fs::canonicalize(there)?;
    let mut on_the_way: Vec<&Path> = real.ancestors().collect();
    on_the_way.reverse();
    for place in on_the_way {
        if fs::metadata(place)?.mode() & 0o001 == 0 {
            return Ok(Some(place.to_owned()));
        }
    }
    Ok(None)
}

/// Makes a directory that others may pass through, whatever our umask is. One that is there is left as it is.
pub(crate) fn make_passable(directory: &Path) -> io::Result<()> {
    if let Some(parent) = directory.parent() {
        fs::DirBuilder::new().recursive(true).mode(PASSABLE).create(parent)?;
    }
    match fs::DirBuilder::new().mode(PASSABLE).create(directory) {
        Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(PASSABLE)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_private_directory_on_the_way_is_found_also_behind_a_link() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let set = |mode| fs::set_permissions(root.join("private"), fs::Permissions::from_mode(mode)).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        make_passable(&root.join("private")).unwrap();
        make_passable(&root.join("private/inner")).unwrap();
        symlink(root.join("private/inner"), root.join("link")).unwrap();
        for path in ["private/inner", "private/inner/not/there", "link", "link/not"] {
            assert_eq!(closed_directory(&root.join(path)).unwrap(), None, "{path}");
        }
        set(0o700);
        for path in ["private/inner", "private/inner/not/there", "link", "link/not"] {
            assert_eq!(closed_directory(&root.join(path)).unwrap(), Some(root.join("private")), "{path}");
        }
    }
}
