//! What the agent answers over its links: one endpoint per file, the paths as `nodepanel_types::wire::path` has them.
//!
//! A request that changes something is not cancelled with the API server that sent it (the link layer sees to that),
//! and is answered when the change is on disk. Nothing here waits for a game without a deadline.

mod activity;
mod apply;
mod command;
mod console;
mod events;
mod journal;
mod ports;
mod problem;
mod remove;
mod route;
mod stats;
mod validate;

pub(crate) use command::lost;
pub use route::Endpoints;
