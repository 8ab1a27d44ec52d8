//! Messages between API servers and agents, over the links.
//!
//! The API server is the HTTP/2 client, the agent the server; the paths are in [`path`]. Every body carries
//! `v`, so that either side can be upgraded first: an unknown field is ignored, a newer `v` of a request is
//! answered with 422.

pub mod console;
pub mod desired;
pub mod node;
pub mod path;
pub mod refusal;

pub use console::{ConsoleFrame, ConsoleLine, LineKind};
pub use desired::{
    Applied, ApplyOutcome, ApplyRequest, ApplyResponse, ConsoleMode, DesiredServer, Endpoint, FileSpec, InstallStep,
    Launch, Limits, PlayerQuery, Program, Protocol, QueryKind, Ready, Remove, RunAs, StopWay,
};
pub use node::{
    ActivityEntry, ActivityKind, CommandRequest, CommandResponse, InstallState, JournalFrame, NodeFacts, NodeFrame,
    ObservedServer, PortCheckRequest, PortCheckResponse, PortUse, ServerSample,
};

/// The version of the messages in this module.
pub const WIRE_VERSION: u32 = 1;
