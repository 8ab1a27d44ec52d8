//! The SQLite backend: one file, shared by the control plane's processes on one host.
//!
//! Each process has one writer thread (concurrent transactions share an fsync), one reader thread, and one thread
//! that tails the change log for its watches. `versions` is data, history and change log at once.

mod backend;
mod batch;
mod clock;
pub(crate) mod failure;
pub(crate) mod file;
mod glance;
mod leases;
mod maintenance;
mod options;
mod reader;
mod rows;
mod schema;
mod writer;

pub use backend::SqliteBackend;
pub use clock::{BootClock, HostClock};
pub use options::SqliteOptions;
