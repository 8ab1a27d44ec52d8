//! Shims that keep real processes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets a surprise has failed")]

mod confinement;
mod console;
mod harness;
mod life;
mod log;
mod old_forms;
mod orphans;
mod renewal;
mod socket;
