//! The agent's end: dials every API server, keeps the links up, and answers what comes over them.

mod answer;
mod board;
mod dialer;
mod handler;
mod keeper;
mod session;
mod status;

pub use dialer::{Dialer, DialerConfig};
pub use handler::{AgentHandler, LinkContext};
pub use keeper::{IdentityKeeper, RenewError};
pub use status::{AddressStatus, DialFailure, DialerStatus, FailureStatus, LinkStatus};
