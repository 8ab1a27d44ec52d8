//! Who plays: asks running games in the languages that their templates name.
//!
//! Everything that comes back was written by a game, so by anybody: replies are bounded in size and in time, and
//! parsed without trust. Nothing waits for an answer: [`rounds`] asks in its own time, and [`Census`] holds what was
//! heard last, for a while.

mod a2s;
mod ask;
mod census;
mod minecraft;
mod openttd;
mod quake3;
mod reader;
mod rounds;

pub use ask::{QueryError, ask};
pub use census::{Census, Players};
pub use reader::Unreadable;
pub use rounds::rounds;
