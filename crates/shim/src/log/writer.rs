//! Writing a log: recovery, appending, rotation.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{reader::last_number, segment::Segment};
use crate::spec::LogSpec;

/// Numbers that are left out after the machine went down under a writer: lines that were shown and then lost with
/// the machine's memory must not share their numbers with others.
const LOST_WITH_THE_MACHINE: u64 = 100_000;

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another writer has it.
    #[error("the console log is being written by another process")]
    Busy {
        /// Which log.
        dir: PathBuf,
    },
    /// The disk refuses.
    #[error("the console log cannot be {verb}")]
    Io {
        /// Which log.
        dir: PathBuf,
        /// What was tried: `opened` or `written`.
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The one writer of a log.
#[derive(Debug)]
pub struct LogWriter {
    spec: LogSpec,
    lock: File,
    current: Option<Open>,
    next: u64,
}

/// The segment that is being written.
#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
}

impl LogWriter {
    /// Takes the log, cuts off a torn last record and finds the number of the next line: at least `first_line`.
    ///
    /// Before a line is shown to anybody, [`LogWriter::secure`] is to be called.
    pub fn open(spec: &LogSpec, first_line: u64) -> Result<Self, LogError> {
        let failed = |source| LogError::Io { dir: spec.dir.clone(), verb: "opened", source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&spec.dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true).mode(0o600);
        let mut lock = options.open(spec.dir.join("writer.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(LogError::Busy { dir: spec.dir.clone() }),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut next = first_line.max(1);
        let mut current = None;
        if let Some(newest) = Segment::list(&spec.dir).map_err(failed)?.pop() {
            let file = OpenOptions::new().read(true).write(true).open(&newest.path).map_err(failed)?;
            let (found, size) = match last_number(&file).map_err(failed)? {
                Some((last, size)) => (last + 1, size),
                None => (newest.first, 0),
            };
            file.set_len(size).map_err(failed)?;
            current = Some(Open { file, size });
            next = next.max(found);
        }
        if machine_went_down(&mut lock, &boot_id()).map_err(failed)? {
            next += LOST_WITH_THE_MACHINE;
        }
        let mut writer = Self { spec: spec.clone(), lock, current, next };
        writer.mark(&boot_id());
        Ok(writer)
    }

    /// Goes on where the image before this one stopped, with its descriptors: its lock, and the segment that it wrote
    /// together with how much of that is whole.
    pub(crate) fn resume(spec: &LogSpec, lock: File, segment: Option<(File, u64)>, next: u64) -> Self {
        let current = segment.map(|(file, size)| Open { file, size });
        Self { spec: spec.clone(), lock, current, next }
    }

    /// What the next image goes on with.
    pub(crate) fn parts(&self) -> (&File, Option<(&File, u64)>) {
        (&self.lock, self.current.as_ref().map(|open| (&open.file, open.size)))
    }

    /// Puts on the disk that the log is being written, so that no number is given twice when the machine goes down.
    pub fn secure(&mut self) {
        // Without the record the numbers of a machine that goes down just then are at stake, and nothing else.
        let _ = self.lock.sync_data();
    }

    /// The number that the next line must have.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Appends whole records, the first with number `first`, and says that the one after them will be `next`.
    ///
    /// When it fails, nothing of them counts as written and they may be given again.
    pub fn append(&mut self, first: u64, next: u64, records: &[u8]) -> Result<(), LogError> {
        self.try_append(first, records).map_err(|source| LogError::Io {
            dir: self.spec.dir.clone(),
            verb: "written",
            source,
        })?;
        self.next = next;
        Ok(())
    }

    /// Syncs everything to the disk and gives the log back.
    pub fn close(mut self) -> io::Result<()> {
        if let Some(open) = &self.current {
            open.file.sync_data()?;
        }
        self.mark("");
        self.secure();
        Ok(())
    }

    fn try_append(&mut self, first: u64, records: &[u8]) -> io::Result<()> {
        if self.current.as_ref().is_none_or(|open| open.size >= self.spec.segment_bytes) {
            self.rotate(first)?;
        }
        let Some(open) = &mut self.current else { return Err(io::ErrorKind::NotFound.into()) };
        open.file.seek(io::SeekFrom::Start(open.size))?;
        if let Err(error) = open.file.write_all(records) {
            // What got onto the disk of them would be taken for a torn record only at the end of the file.
            open.file.set_len(open.size)?;
            return Err(error);
        }
        open.size += records.len() as u64;
        Ok(())
    }

    fn rotate(&mut self, first: u64) -> io::Result<()> {
        // Room first: on a full disk the oldest lines give way to the newest.
        let segments = Segment::list(&self.spec.dir)?;
        let keep = usize::try_from(self.spec.segments).unwrap_or(usize::MAX).saturating_sub(1);
        for old in segments.iter().take(segments.len().saturating_sub(keep)) {
            fs::remove_file(&old.path)?;
        }
        let segment = Segment::new(&self.spec.dir, first);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(true).read(true).write(true).mode(0o600).open(&segment.path)?;
        self.current = Some(Open { file, size: 0 });
        Ok(())
    }

    /// Records in the lock file under which boot the log is open; nothing once it is closed. On a full disk there
    /// is no record, which costs no more than the numbers of a machine that goes down just then.
    fn mark(&mut self, boot: &str) {
        let _ =
            self.lock.set_len(0).and_then(|()| self.lock.rewind()).and_then(|()| self.lock.write_all(boot.as_bytes()));
    }
}

fn machine_went_down(lock: &mut File, boot: &str) -> io::Result<bool> {
    let mut mark = String::new();
    lock.take(128).read_to_string(&mut mark)?;
    Ok(!mark.is_empty() && !boot.is_empty() && mark != boot)
}

/// The id of the present boot; empty when the kernel does not tell it.
fn boot_id() -> String {
    fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default().trim_end().to_owned()
}
