//! Where a request enters: its id, who asks, what the body says, and how a refusal leaves.

pub mod body;
mod caller;
mod cookie;
mod headers;
mod origin;
mod path;
mod problem;
mod query;
mod request_id;
mod second_look;

pub use body::Asked;
pub use caller::{Caller, client_address, is_secure};
pub use cookie::{NewCookie, SessionCookie};
pub use headers::security_headers;
pub use origin::refuse_cross_site;
pub use path::Id;
pub use problem::{ApiError, ProblemResponses, render_problems};
pub use query::Query;
pub use request_id::{RequestIdExt, stamp_requests};
pub use second_look::{KeptBody, look_twice};
