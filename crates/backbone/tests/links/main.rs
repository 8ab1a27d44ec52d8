//! Links between real API ends and real agents over loopback sockets.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails; clippy's exemption covers test functions but not the harness"
)]

mod enrolment;
mod harness;
mod linking;
mod presence;
mod requests;
mod streams;
mod trust;
