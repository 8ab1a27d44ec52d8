//! `/setup`

mod set_up;
mod state;

pub use set_up::*;
pub use state::*;
