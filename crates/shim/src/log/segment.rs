//! Segments of a log: their names, and the numbers in them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// The number of its first line (also when it has no line yet).
    pub(super) first: u64,
    /// Where it lies.
    pub(super) path: PathBuf,
}

impl Segment {
    /// The segment of `dir` that begins with line `first`.
    pub(super) fn new(dir: &Path, first: u64) -> Self {
        Self { first, path: dir.join(format!("console-{first:020}.ndjson")) }
    }

    /// The segments of `dir`, oldest first; none when there is no such directory.
    pub(super) fn list(dir: &Path) -> io::Result<Vec<Self>> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut segments = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let first = name
                .to_str()
                .and_then(|name| name.strip_prefix("console-"))
                .and_then(|name| name.strip_suffix(".ndjson"))
                .and_then(|digits| digits.parse().ok());
            if let Some(first) = first {
                segments.push(Self { first, path: dir.join(name) });
            }
        }
        segments.sort_by_key(|segment| segment.first);
        Ok(segments)
    }
}

/// The number of a record, `None` when it is damaged. Records are our own, so their beginning is known:
/// `{"n":17,"t":…}`.
pub(crate) fn number_of(record: &[u8]) -> Option<u64> {
    let rest = record.strip_prefix(b"{\"n\":")?;
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    if rest.get(digits) != Some(&b',') || record.last() != Some(&b'}') {
        return None;
    }
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_whole_records_only() {
        assert_eq!(number_of(br#"{"n":17,"t":5,"k":"out","s":"x"}"#), Some(17));
        assert_eq!(number_of(br#"{"n":17,"t":5,"k":"out","#), None);
        assert_eq!(number_of(br#"{"n":17"#), None);
        assert_eq!(number_of(b"\0\0\0\0"), None);
        assert_eq!(number_of(b""), None);
    }
}
