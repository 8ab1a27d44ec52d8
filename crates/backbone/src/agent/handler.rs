//! What an agent answers to API servers.

use async_trait::async_trait;
use http::{Request, Response};
use nodepanel_types::WorkerId;

use crate::Body;

/// The agent's own endpoints. Presence, identity and the link's own messages never reach it.
///
/// A request with a safe method (GET, HEAD) is cancelled when the API server that sent it goes away or gives up. Any
/// other runs to its end as a task of its own, because half a change is worse than one whose answer nobody hears; its
/// outcome must be recorded under its idempotency key, because it will be asked for again.
#[async_trait]
pub trait AgentHandler: Send + Sync + 'static {
    /// Answers a request. Its extensions hold a [`LinkContext`].
    async fn handle(&self, request: Request<Body>) -> Response<Body>;

    /// Returns when the agent is able to work: awaited before every presence probe is answered. An agent whose executor
    /// hangs must not return from it.
    async fn alive(&self) {}
}

/// Which link a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkContext {
    /// The API server that asks.
    pub instance: WorkerId,
    /// It came over the bulk connection.
    pub bulk: bool,
}
