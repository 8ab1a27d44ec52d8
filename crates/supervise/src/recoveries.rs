//! The journal of recoveries, `run/recoveries.jsonl`: one line per recovery, appended, bounded.

use std::{
    collections::VecDeque,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{whole_file, wire::protocol::Recovery};

/// The name of the file in the run directory.
pub const RECOVERIES_FILE: &str = "recoveries.jsonl";
/// Entries that are kept; up to twice as many are on disk before the file is cut.
pub const KEPT: usize = 2_000;

/// The journal: all kept entries in memory, and on disk.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    entries: VecDeque<Recovery>,
    lines_on_disk: usize,
}

impl Journal {
    /// Reads the journal of a run directory. Lines that are no entries (a torn last one) are passed over.
    pub fn open(run_dir: &Path) -> io::Result<Self> {
        let path = run_dir.join(RECOVERIES_FILE);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut entries: VecDeque<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        entries.drain(..entries.len().saturating_sub(KEPT));
        Ok(Self { path, entries, lines_on_disk: text.lines().count() })
    }

    /// The newest entries that a run directory has on disk, at most `limit`, oldest first, for who cannot ask the
    /// supervisor.
    ///
    /// # Errors
    ///
    /// The journal cannot be read, or there is none (`NotFound`): that nothing was recorded is not known then.
    pub fn read(run_dir: &Path, limit: usize) -> io::Result<Vec<Recovery>> {
        fs::metadata(run_dir.join(RECOVERIES_FILE))?;
        Ok(Self::open(run_dir)?.newest(limit))
    }

    /// The newest entries, at most `limit`, oldest first.
    pub fn newest(&self, limit: usize) -> Vec<Recovery> {
        self.entries.iter().skip(self.entries.len().saturating_sub(limit)).cloned().collect()
    }

    /// Adds an entry. It counts from now on, also when it cannot be written.
    pub fn append(&mut self, entry: Recovery) -> io::Result<()> {
        let line = serde_json::to_string(&entry)?;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        if self.lines_on_disk >= 2 * KEPT {
            return self.rewrite();
        }
        // One write per line: a second writer or a crash tears no line but its own. A leading line end closes a
        // line that an earlier crash tore.
        let torn = self.lines_on_disk > 0;
        let text = if torn { format!("\n{line}") } else { line };
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.lines_on_disk += 1;
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let lines: Vec<String> = self.entries.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        whole_file::replace(&self.path, lines.join("\n").as_bytes())?;
        self.lines_on_disk = lines.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nodepanel_types::Timestamp;

    use super::*;

    fn entry(number: usize) -> Recovery {
        Recovery {
            at: Timestamp::from_millis(i64::try_from(number).unwrap()),
            component: "api-1".to_owned(),
            what: "started again".to_owned(),
            why: "was killed by SIGKILL".to_owned(),
            took_ms: Some(3),
            tries: 1,
            occasion: None,
            observed_by: None,
            lost: None,
        }
    }

    #[test]
    fn entries_survive_and_a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(entry(1)).unwrap();
        let mut file = OpenOptions::new().append(true).open(dir.path().join(RECOVERIES_FILE)).unwrap();
        file.write_all(b"\n{\"at\":").unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(entry(2)).unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.newest(10), [entry(1), entry(2)]);
        assert_eq!(journal.newest(1), [entry(2)]);
        assert_eq!(Journal::read(dir.path(), 1).unwrap(), [entry(2)]);
        assert_eq!(Journal::read(&dir.path().join("gone"), 1).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_file_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(RECOVERIES_FILE);
        let lines: Vec<String> = (0..2 * KEPT).map(|n| serde_json::to_string(&entry(n)).unwrap()).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(entry(2 * KEPT)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), KEPT);
        assert_eq!(Journal::open(dir.path()).unwrap().newest(1), [entry(2 * KEPT)]);
    }
}
