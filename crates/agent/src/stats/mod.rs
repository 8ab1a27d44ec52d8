//! What servers and the machine use: measured once a second, an hour kept in memory, a week on disk.
//!
//! Everything here is read from `/proc` and `/sys`, or asked of the kernel, on a thread that may block. A figure that
//! cannot be measured is `None`, never 0.

mod disk;
mod machine;
mod network;
mod packed;
mod sampler;
mod series;
mod tree;

pub use disk::{directory_size, file_system};
pub use machine::Machine;
pub use network::SocketDiagnosis;
pub use packed::Packed;
pub use sampler::{Sampler, Target};
pub use series::Series;
