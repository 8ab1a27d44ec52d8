//! The agent's own database: what it should run, how far it is with that, what it did, and a week of statistics.
//!
//! SQLite with a write-ahead log and full synchronisation, on a thread of its own: the event loop never waits for the
//! disk, and a write is done when it is on it. A database that cannot be written (full, damaged) stops no game server:
//! the caller goes on with what it has in memory, and [`Db::trouble`] says in words what is wrong. When room gets short,
//! the oldest statistics go before anything is not written down.

mod error;
mod journal;
mod keys;
mod minutes;
mod schema;
mod servers;
mod thread;
mod whole;

pub use error::DbError;
pub use journal::Noted;
pub use keys::{KeptRefusal, Reserved};
pub use servers::{News, StoredDesired, StoredServer};
pub use thread::{Db, DbWorker};

#[cfg(test)]
mod tests;
