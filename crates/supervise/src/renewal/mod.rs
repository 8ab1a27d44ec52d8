//! Renewing proofs: ending one process of ours after the other on purpose, in a window that the operator has agreed to,
//! so that it is known of each that it comes back.
//!
//! `window` and `decide` are pure; the supervisor carries out what they say. Off unless a window is set.

mod decide;
mod window;

pub use decide::{Candidate, Decision, Host, Rules, decide};
pub use window::{Window, WindowError};

/// What an end is announced for that renews a proof.
pub const PURPOSE: &str = "to renew its proof";
/// What the record says was done when the renewal ended before all was renewed.
pub const HALTED: &str = "stopped renewing proofs for this time";
