//! What tells one build from another without reading it: the place, size and time of its file.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use serde::{Deserialize, Serialize};

/// A file's size and the instant at which it was last written; a copy that keeps both is the same build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// In bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified_s: i64,
    /// And nanoseconds.
    pub modified_ns: i64,
}

impl Print {
    /// Of the file that is at `path` now.
    pub fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self { size: metadata.size(), modified_s: metadata.mtime(), modified_ns: metadata.mtime_nsec() })
    }
}
