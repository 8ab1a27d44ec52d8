//! The memory backend: the whole contract without a disk, deterministic, failing on demand. For tests.

mod backend;
mod fault;
mod history;

pub use backend::MemoryBackend;
pub use fault::Fault;
