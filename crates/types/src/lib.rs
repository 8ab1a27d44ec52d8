//! The vocabulary of NodePanel: ids, stored resources, API bodies, wire messages, error codes and the rules
//! that are pure functions of them.
//!
//! This crate does no I/O, reads no clock and makes no random value; every other crate depends on it and it
//! depends on none of them.

pub mod api;
pub mod clock;
pub mod component;
pub mod id;
pub mod limits;
pub mod permission;
pub mod problem;
pub mod state;
pub mod stats;
pub mod template;
pub mod time;
pub mod wire;

pub use id::{ApiKeyId, EnrolmentId, JobId, NodeId, RequestId, ServerId, SessionId, TemplateId, UserId, WorkerId};
pub use time::{Millis, Timestamp};
