//! Small files that are found whole or not at all, whoever is killed and whatever the machine does: what an installation
//! remembers between two lives.
//!
//! There is one writer of each; what the file says is its caller's affair.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

/// Replaces a file, which its owner alone may read. Blocks until its content and its name are on disk.
///
/// A draft that a crash leaves beside it (`<name>.new`) is overwritten by the next.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// The same with JSON.
pub fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    replace(path, &serde_json::to_vec_pretty(value)?)
}

/// Reads what [`replace_json`] wrote; `None` when there is no file. What cannot be understood is `InvalidData`.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), None);
        // What a crash in the middle of writing leaves behind.
        fs::write(directory.path().join("state.json.new"), "[1, 2").unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), None);
        for value in [vec![1, 2, 3], vec![4]] {
            replace_json(&path, &value).unwrap();
            assert_eq!(read_json(&path).unwrap(), Some(value));
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
        fs::write(&path, "[1, 2").unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
