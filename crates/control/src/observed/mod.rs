//! What the nodes report, as this API server knows it: rebuilt from the links, never stored. What they did goes into
//! the host's journal.
//!
//! A node that falls silent keeps its last picture, with its age; nothing is forgotten because it cannot be asked.

mod deliver;
mod follow;
mod picture;

pub use follow::follow_nodes;
pub use picture::{NodePicture, Observed, ObservedChange, Presence};
