//! The console lines of one server on disk: numbered, rotated, bounded.
//!
//! A log is a directory of segments, each a file of NDJSON (`nodepanel_types::wire::ConsoleLine`, the very bytes
//! that readers are sent) named by the number of its first line. Lines reach the kernel before anybody is shown
//! them, so that no end of a process loses a line that somebody saw; they are synced to the disk when a segment is
//! full and when the log is closed. A last record that is torn is cut off by the next writer and skipped by
//! readers.
//!
//! One writer at a time (it holds a lock), any number of readers, in any process, at any time.

mod reader;
mod segment;
mod writer;

pub use reader::{LogReader, LogSlice};
pub use writer::{LogError, LogWriter};
