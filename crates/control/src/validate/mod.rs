//! What people type, checked field by field. Every complaint says what would be right.

mod complaints;
mod email;
mod limits;
mod name;
mod ports;

pub use complaints::Complaints;
pub use email::email;
pub use limits::{crash_policy, limits};
pub use name::{display_name, node_name};
pub use ports::port_ranges;
