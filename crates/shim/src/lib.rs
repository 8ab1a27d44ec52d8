//! The keeper of one game server: it owns the game's process, its input, its numbered console lines and their log
//! on disk, and outlives the agent, so that nothing of ours that stops can stop a game.
//!
//! It decides nothing: whether a game is started again is the agent's business. A shim serves one life of one
//! game process and goes when its end is on disk and known.

mod console;
mod game;
mod keeper;
mod launch;

pub mod client;
pub mod log;
pub mod place;
pub mod protocol;
pub mod spec;

pub use client::{ClientError, ShimClient};
pub use game::clean_up;
pub use keeper::{RunError, can_go_on, go_on, run};
pub use launch::{LaunchError, launch};
pub use log::{LogReader, LogWriter};
pub use spec::{LogSpec, ShimSpec, Subject};
