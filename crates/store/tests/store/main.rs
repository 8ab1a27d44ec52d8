//! The store from outside: one conformance suite for every backend, and what only a file can suffer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cache;
mod cluster;
mod conformance;
mod damage;
mod disk;
mod election;
mod fail_over;
mod faults;
mod harness;
mod journal;
mod model;
mod moving;
mod old_forms;
mod processes;
mod records;
mod typed;
