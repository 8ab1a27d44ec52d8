//! What tests of a whole NodePanel are written with: an installation of real processes on a loopback address of its own,
//! and clients that do what a browser, a script and a player do.
//!
//! Nothing here knows the insides of NodePanel: it uses the command line, the API, signals and files that operators are
//! told about. Everything that is started is ended when its owner is dropped.

mod bot;
mod client;
mod console;
mod events;
mod game;
mod http;
mod installation;
mod place;
mod processes;
mod witness;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use bot::Bot;
pub use client::{Client, Credential, fresh_key};
pub use console::Console;
pub use events::Events;
pub use game::{ECHO, Game, template};
pub use http::{Answer, Request};
pub use installation::{ADMIN, Installation, PASSWORD, Setting, binary, cli_at, cli_to_its_end, command, own_program};
pub use place::Place;
pub use processes::{is_alive, kill9, signal};
pub use witness::Witness;

/// Long enough for a debug build on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until there is something, and fails the test when there is nothing in time.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < limit, "{what}: not so after {limit:?}");
        pause(Duration::from_millis(15));
    }
}

/// Waits between two looks; never a replacement for looking.
#[expect(clippy::disallowed_methods, reason = "the one place that waits by time, between two looks at a state")]
pub fn pause(time: Duration) {
    thread::sleep(time);
}

/// Prints a figure for people who compare runs; no test depends on it.
pub fn figure(what: &str, value: Duration) {
    println!("figure: {what}: {:.0} ms", value.as_secs_f64() * 1_000.0);
}
