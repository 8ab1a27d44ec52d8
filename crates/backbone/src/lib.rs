//! The links between API servers and agents: certificates, enrolment, dialling, presence, requests and streams.
//!
//! Every agent dials every API server over TCP with mutual TLS and then plays the HTTP/2 server on the connection
//! it dialled; the API server sends plain HTTP requests over it. Nothing is in the middle.
//!
//! ```text
//!   API server                                              agent
//!   Acceptor ── accepts, checks the certificate ◄── TLS ──  Dialer ── one task per address
//!      │  hello: "I am worker X, so are Y and Z" ── HTTP/2 ─►  │  links every worker, twice: control and bulk
//!   Registry ── presence (probe with a body, pings) ───────►  AgentHandler ── the agent's own endpoints
//!      └─ Link ── request, call, stream, lines ────────────►
//! ```
//!
//! This crate knows nothing of game servers, stores nothing but the agent's identity file, and decides nothing
//! about what a silent node means.

mod address;
pub mod body;
mod causes;
mod connect;
mod error;
mod lines;
pub mod pki;
mod timing;
mod tls;
mod transport;
pub mod wire;

pub mod agent;
pub mod enrolment;
pub mod registry;

mod acceptor;
mod link;
mod renewal;

pub use acceptor::{Acceptor, AcceptorConfig};
pub use address::{LinkAddress, ParseAddressError};
pub use agent::{AgentHandler, Dialer, DialerConfig};
pub use body::Body;
pub use connect::{ConnectError, TlsFailure};
pub use error::{LinkError, Problem};
pub use lines::{LineSender, LineStream, ReaderGone, line_body};
pub use link::{BulkPermit, Link, StreamOptions, TRY};
pub use registry::{Presence, PresenceChange, Registry};
pub use timing::LinkTiming;
