//! The agent with real processes: a stub game, real shims, a real database; requests go in where a link would bring
//! them.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod clock;
mod crash;
mod disk;
mod harness;
mod install;
mod journal;
mod life;
mod limits;
mod old_forms;
mod players;
mod private;
mod recovery;
mod requests;
mod traffic;
