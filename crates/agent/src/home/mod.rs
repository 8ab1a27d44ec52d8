//! The agent's directory, and the place of its servers' files.

mod open;
mod servers;
mod walk;

pub use open::Home;
pub use servers::{ELSEWHERE, ServersPlace, survey};
pub use walk::closed_directory;
pub(crate) use walk::make_passable;
