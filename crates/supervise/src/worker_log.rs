//! The file that a worker's output is appended to: `logs/<name>.log`, bounded, one older file beside it.
//!
//! The worker writes into the file itself, so that its log goes on when the supervisor dies. It is cut by copying
//! the file away and emptying it in place; lines written between the two are lost, which is the price of having no
//! process in between.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Stdio,
};

/// A file is cut when it is larger than this, in bytes.
const FILE_BYTES: u64 = 8 * 1024 * 1024;

/// One worker's log, kept open so that starting a worker waits for no directory.
#[derive(Debug)]
pub struct WorkerLog {
    path: PathBuf,
    file: File,
}

impl WorkerLog {
    /// Where the logs of an installation are.
    pub fn directory(data_dir: &Path) -> PathBuf {
        data_dir.join("logs")
    }

    /// Opens (and creates) the log of a worker.
    pub fn open(data_dir: &Path, name: &str) -> io::Result<Self> {
        let directory = Self::directory(data_dir);
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let path = directory.join(format!("{name}.log"));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        Ok(Self { path, file })
    }

    /// A standard stream that appends to the log.
    pub fn stream(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// What `cut` needs, to be called where blocking does no harm.
    pub fn cutter(&self) -> io::Result<Cutter> {
        Ok(Cutter { path: self.path.clone(), file: self.file.try_clone()? })
    }
}

/// Cuts one log.
#[derive(Debug)]
pub struct Cutter {
    path: PathBuf,
    file: File,
}

impl Cutter {
    /// Moves the text of a log that has grown too large to `<name>.log.1`; `true` when it did. Blocks.
    pub fn cut(&self) -> io::Result<bool> {
        self.cut_above(FILE_BYTES)
    }

    fn cut_above(&self, bytes: u64) -> io::Result<bool> {
        if self.file.metadata()?.len() <= bytes {
            return Ok(false);
        }
        let mut older = self.path.clone().into_os_string();
        older.push(".1");
        fs::copy(&self.path, older)?;
        self.file.set_len(0)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_that_is_cut_goes_on_at_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = WorkerLog::open(dir.path(), "api-1").unwrap();
        log.file.write_all(b"old\n").unwrap();
        assert!(!log.cutter().unwrap().cut_above(4).unwrap());
        assert!(log.cutter().unwrap().cut_above(3).unwrap());
        log.file.write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("logs/api-1.log")).unwrap(), "new\n");
        assert_eq!(fs::read_to_string(dir.path().join("logs/api-1.log.1")).unwrap(), "old\n");
    }
}
