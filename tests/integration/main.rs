//! Tests of a whole NodePanel: real processes that are killed for real, real sockets, a real game with a real player.
//!
//! `harness` starts an installation and acts as its users; every other module is about one thing that they rely on.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails; clippy's exemption covers test functions but not the harness"
)]

mod authorization;
mod bad_input;
mod closed_output;
mod command_line;
mod configuration;
mod damaged_store;
mod drill_command;
mod drills;
mod game_goes_on;
mod harness;
mod history;
mod idempotency;
mod install;
mod left_behind;
mod lifecycle;
mod outage;
mod proofs;
mod read_your_writes;
mod routes;
mod sessions;
mod upgrade;
