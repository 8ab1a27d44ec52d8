//! The supervision with real processes, real sockets and real kills: `examples/supervised.rs` is the installation.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail here")]

mod installation;
mod keeper;
mod workers;
