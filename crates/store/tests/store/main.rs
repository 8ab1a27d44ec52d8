//! The store from outside: one conformance suite for every backend, and what only a file can suffer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod conformance;
mod damage;
mod harness;
mod model;
mod processes;
