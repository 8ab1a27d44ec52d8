//! The game's processes: what there is of them, how they are killed, why they ended.

mod memory;
mod ports;
mod tree;

pub(crate) use memory::OomWatch;
pub(crate) use ports::is_listening;
pub use tree::clean_up;
pub(crate) use tree::{MARK, Tree};
