//! Builds of our own program: which one is installed, which one is known to be good, and how workers get from one to
//! the other.
//!
//! `data_dir/builds/state.json` remembers what was proven and what was refused, so that a bad build that is still
//! installed after a reboot is not tried again, and `data_dir/builds/good` is a copy of the last build that was proven.

/// The variable that tells a supervisor where the program is installed when it runs from the copy of the good build.
pub const INSTALLED: &str = "NODEPANEL_INSTALLED";

mod print;
pub mod rollout;
mod state;

pub use print::Print;
pub use state::{BuildError, Builds, Choice};
