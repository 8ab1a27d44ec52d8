//! What the nodes did, as this control host remembers it: append-only, bounded by age and number.
//!
//! Not part of the versioned store and not in its file: entries come at the nodes' rate, and losing the youngest costs
//! nothing, because a node sends again whatever the journal does not have. Every API server of the host reads all nodes
//! and writes what it heard; an entry is known by its node, its number and its time, so that it is there once whoever
//! writes it and however often.

mod desk;
mod log;
mod rows;

pub use log::{Delivered, Journal, JournalLimits, Position};
