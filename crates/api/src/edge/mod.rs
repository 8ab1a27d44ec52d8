//! Where a request enters: its id, who asks, what the body says, and how a refusal leaves.

pub mod body;
mod caller;
mod client;
mod cookie;
mod gate;
mod headers;
mod origin;
mod path;
mod problem;
mod problem_responses;
mod query;
mod request_id;

pub use body::Asked;
pub use caller::{Caller, is_secure};
pub use client::{ForwardedHeader, Network, NetworkError, Proxies};
pub use cookie::{NewCookie, SessionCookie};
pub use gate::gate;
pub use origin::refuse_cross_site;
pub use path::Id;
pub use problem::ApiError;
pub use problem_responses::ProblemResponses;
pub use query::Query;
pub use request_id::RequestIdExt;
