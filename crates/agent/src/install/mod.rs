//! Installations: jobs of steps, each step kept by a shim of its own, so that a restart of the agent interrupts none.
//!
//! A step's directory holds its exit file once it is done; a job that is taken up again skips what is done, attaches
//! to what runs, and runs what is missing. Every job has a deadline and can be ended; it always comes to an end.

mod files;
mod job;
mod packages;
mod run;

pub use files::{valid_path, write_file};
pub use job::{Job, JobConfig, Outcome};
pub use packages::{remove_stale_policy, valid_package_name};
