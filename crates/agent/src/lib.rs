//! The agent: runs the game servers of one machine from its own durable copy of what should run, with or without
//! anybody to report to.
//!
//! ```text
//!  links ── handler ──▶ db (what should be) ──▶ server task ── plan ──▶ runtime ──▶ shim ──▶ game
//!    ▲                                            │  looks, decides, acts, for ever
//!    └──────────── events, console, stats ◀───────┘
//! ```
//!
//! It decides nothing about users, permissions or other machines, and no game depends on its being there.

mod agent;
mod cgroup;
mod db;
mod error;
mod events;
mod facts;
mod handler;
mod home;
mod install;
mod layout;
mod links;
mod measure;
mod node;
mod plan;
mod policy;
mod ports;
mod query;
mod renewal;
mod runtime;
mod server;
mod stats;
mod users;

pub use agent::{Agent, AgentConfig};
pub use db::DbWorker;
pub use error::AgentError;
pub use handler::Endpoints;
pub use home::{ELSEWHERE, ServersPlace, closed_directory, survey};
pub use runtime::{ConsoleFrom, Recovered, RunEnd, RunOrder, RunPlace, RunState, Running, Runtime, RuntimeError};
