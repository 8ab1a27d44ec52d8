//! Reading a log, also while somebody writes it, and while its oldest segments are being removed.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use nodepanel_types::wire::{ConsoleLine, console::Extent};

use super::segment::{Segment, number_of};

/// More than the longest record: a line whose every byte is escaped, and what surrounds it.
pub(super) const RECORD_BYTES: usize = 32 * 1024;

/// Reads the log in one directory. Holds nothing open between calls.
#[derive(Debug, Clone)]
pub struct LogReader {
    dir: PathBuf,
}

/// Consecutive lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSlice {
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// The lines as NDJSON, each with its line end.
    pub ndjson: Vec<u8>,
}

impl LogReader {
    /// A reader of the log in `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// What there is to read. `next` is 1 for a log that never had a line.
    pub fn extent(&self) -> io::Result<Extent> {
        let segments = Segment::list(&self.dir)?;
        let mut extent = Extent { first: 1, next: 1 };
        if let Some(oldest) = segments.first() {
            extent.first = oldest.first;
        }
        if let Some(newest) = segments.last() {
            extent.next = match File::open(&newest.path) {
                Ok(file) => last_number(&file)?.map_or(newest.first, |(last, _)| last + 1),
                Err(error) => return Err(error),
            };
        }
        Ok(extent)
    }

    /// The lines after number `after`, as many as fit into `max_bytes` (at least one); it ends early where numbers
    /// are missing. `None` when there is no later line.
    pub fn slice_after(&self, after: u64, max_bytes: usize) -> io::Result<Option<LogSlice>> {
        // A segment may be removed between listing and opening; then the list has changed and is read again.
        for _ in 0..4 {
            match self.try_slice_after(after, max_bytes) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => return result,
            }
        }
        Ok(None)
    }

    /// The lines after number `after`, at most `limit`. Records that are damaged are left out.
    pub fn read_after(&self, after: u64, limit: usize) -> io::Result<Vec<ConsoleLine>> {
        let mut lines = Vec::new();
        let mut last = after;
        while lines.len() < limit {
            let Some(slice) = self.slice_after(last, 256 * 1024)? else { break };
            last = slice.last;
            let records = slice.ndjson.split(|byte| *byte == b'\n').filter(|record| !record.is_empty());
            lines.extend(records.filter_map(|record| serde_json::from_slice(record).ok()));
        }
        lines.truncate(limit);
        Ok(lines)
    }

    /// The newest lines, at most `limit`.
    pub fn tail(&self, limit: u64) -> io::Result<Vec<ConsoleLine>> {
        let after = self.extent()?.next.saturating_sub(1).saturating_sub(limit);
        self.read_after(after, usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn try_slice_after(&self, after: u64, max_bytes: usize) -> io::Result<Option<LogSlice>> {
        let segments = Segment::list(&self.dir)?;
        let begin = segments.partition_point(|segment| segment.first <= after.saturating_add(1)).saturating_sub(1);
        for segment in segments.iter().skip(begin) {
            let file = File::open(&segment.path)?;
            if let Some(slice) = slice_of(&file, after, max_bytes)? {
                return Ok(Some(slice));
            }
        }
        Ok(None)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// The lines of one segment after number `after`.
fn slice_of(file: &File, after: u64, max_bytes: usize) -> io::Result<Option<LogSlice>> {
    let mut offset = seek_after(file, after)?;
    let mut buffer = vec![0; max_bytes.max(2 * RECORD_BYTES)];
    loop {
        let length = read_at(file, &mut buffer, offset)?;
        let filled = buffer.get(..length).unwrap_or_default();
        let Some(end) = filled.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
        let whole = filled.get(..=end).unwrap_or_default();
        if let Some(slice) = consecutive(whole, after, max_bytes) {
            return Ok(Some(slice));
        }
        offset += whole.len() as u64;
    }
}

/// The first run of consecutive records after `after` in `whole`, which ends with a line end.
fn consecutive(whole: &[u8], after: u64, max_bytes: usize) -> Option<LogSlice> {
    let mut slice: Option<LogSlice> = None;
    for record in whole.split_inclusive(|byte| *byte == b'\n') {
        let number = number_of(record.strip_suffix(b"\n").unwrap_or(record));
        match (&mut slice, number) {
            (None, Some(number)) if number > after => {
                slice = Some(LogSlice { first: number, last: number, ndjson: record.to_vec() });
            }
            (Some(slice), Some(number)) if number == slice.last + 1 => {
                if slice.ndjson.len() + record.len() > max_bytes {
                    break;
                }
                slice.last = number;
                slice.ndjson.extend_from_slice(record);
            }
            (Some(_), _) => break,
            (None, _) => {}
        }
    }
    slice
}

/// An offset at which a record begins, at or before the first record after `after`, and close to it.
fn seek_after(file: &File, after: u64) -> io::Result<u64> {
    let mut low = 0;
    let mut high = file.metadata()?.len();
    let mut buffer = vec![0; 2 * RECORD_BYTES];
    while high - low > 4 * RECORD_BYTES as u64 {
        let middle = low + (high - low) / 2;
        let length = read_at(file, &mut buffer, middle)?;
        let filled = buffer.get(..length).unwrap_or_default();
        // The first whole record that begins after the middle.
        let found = filled.iter().position(|byte| *byte == b'\n').and_then(|line_end| {
            let begin = line_end + 1;
            let rest = filled.get(begin..)?;
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            Some((begin, number_of(rest.get(..end)?)?))
        });
        match found {
            Some((begin, number)) if number <= after => low = middle + begin as u64,
            Some(_) => high = middle,
            // Damaged here: what is left is read from its beginning.
            None => break,
        }
    }
    Ok(low)
}

/// The number of the last whole record of a segment, and the offset behind it.
pub(super) fn last_number(file: &File) -> io::Result<Option<(u64, u64)>> {
    let size = file.metadata()?.len();
    let mut window = 2 * RECORD_BYTES as u64;
    loop {
        let offset = size.saturating_sub(window);
        let mut buffer = vec![0; usize::try_from(size - offset).map_err(io::Error::other)?];
        let length = read_at(file, &mut buffer, offset)?;
        let filled = buffer.get(..length).unwrap_or_default();
        let mut end = filled.len();
        while let Some(line_end) = filled.get(..end).and_then(|rest| rest.iter().rposition(|byte| *byte == b'\n')) {
            let begin = filled.get(..line_end).and_then(|rest| rest.iter().rposition(|byte| *byte == b'\n'));
            // A record whose beginning lies before the window is not whole here.
            if begin.is_none() && offset > 0 {
                break;
            }
            let begin = begin.map_or(0, |position| position + 1);
            if let Some(number) = filled.get(begin..line_end).and_then(number_of) {
                return Ok(Some((number, offset + line_end as u64 + 1)));
            }
            end = line_end;
        }
        if offset == 0 {
            return Ok(None);
        }
        window *= 4;
    }
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
