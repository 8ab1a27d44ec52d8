//! The use-cases of NodePanel: authorize, validate, write desired state, tell the nodes; and the reconcilers that
//! compare what is wanted with what is so, for ever.
//!
//! ```text
//!  api ──► ControlPlane ── authorize ── validate ── commit ──► store
//!              │  ▲                                               │ list + watch
//!              │  └───────────── Tables (memory) ◄────────────────┘
//!              ├─ push ──► nodes      desired state, at once and again until it is held
//!              ├─ observed ◄── nodes  what the nodes report, never stored
//!              └─ reconcile           under a lease, fenced
//! ```
//!
//! This crate knows no HTTP status, opens no listening socket and never sees a game's files.

pub mod account;
mod actor;
mod authorize;
mod bootstrap;
mod commit;
mod debt;
mod events;
mod history;
mod list_query;
mod node;
mod nodes;
mod observed;
mod plane;
mod platform;
mod push;
mod reconcile;
mod record;
mod refusals;
mod run;
mod secret;
mod server;
mod tables;
mod template;
mod validate;

mod error;

pub use account::{CookieValue, Credential, RightsChanges, SignedIn};
pub use actor::{Actor, Context, IdempotencyKey, Proof};
pub use bootstrap::{BootstrapError, Installation};
pub use error::ControlError;
pub use events::EventStream;
pub use list_query::ListQuery;
pub use node::{Enrolments, Links};
pub use nodes::{NodeError, NodeStream, Nodes};
pub use observed::{Observed, Presence};
pub use plane::{ControlPlane, Parts};
pub use platform::{Platform, Readiness};
pub use run::run;
pub use secret::{HostToken, MasterKey, MasterKeyError, setup_token};
pub use server::{ConsoleEvent, ConsoleFrom, ConsoleSource, ConsoleStream};
pub use tables::Tables;
