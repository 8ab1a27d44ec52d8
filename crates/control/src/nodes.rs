//! The seam to the nodes: requests over the links. The real one is `links::Links`; tests have a twin that fails on
//! demand.

use std::{pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use http::StatusCode;
use nodepanel_backbone::Problem;
use nodepanel_types::NodeId;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::broadcast;

use crate::observed::Presence;

/// Lines of a body that never ends; each item is one or more whole lines.
pub type NodeStream = Pin<Box<dyn Stream<Item = Result<Bytes, NodeError>> + Send>>;

/// Characters of an answer that is no problem document.
const WORDS: usize = 500;

/// Why a node did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// There is no link to it.
    #[error("{0}")]
    Unreachable(String),
    /// It did not answer in time; it may have done what was asked.
    #[error("the node did not answer within {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The link broke; it may have done what was asked.
    #[error("the link to the node broke: {0}")]
    Broken(String),
    /// It refused.
    #[error("{detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The stable name of the reason; empty where the answer has none.
        kind: String,
        /// Its words.
        detail: String,
    },
}

impl NodeError {
    /// A refusal with the content of its answer: a problem document, or else something that is taken for the words.
    pub fn refused(status: StatusCode, content: &[u8]) -> Self {
        let words = || String::from_utf8_lossy(content).chars().take(WORDS).collect();
        let problem = serde_json::from_slice(content);
        Self::of(status, problem.unwrap_or_else(|_| Problem { detail: words(), ..Problem::default() }))
    }

    /// A refusal with its problem document.
    pub(crate) fn of(status: StatusCode, problem: Problem) -> Self {
        let Problem { kind, title, detail } = problem;
        Self::Refused { status: status.as_u16(), kind, detail: if detail.is_empty() { title } else { detail } }
    }
}

/// Requests to nodes.
#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// A request with a small answer.
    async fn call(&self, node: NodeId, path: &str, body: Option<Bytes>, deadline: Duration)
    -> Result<Bytes, NodeError>;

    /// A request with an answer that is read line by line.
    async fn stream(&self, node: NodeId, path: &str) -> Result<NodeStream, NodeError>;

    /// Whether the node is linked.
    fn presence(&self, node: NodeId) -> Presence;

    /// Nodes whose presence changes.
    fn presence_changes(&self) -> broadcast::Receiver<NodeId>;

    /// Ends the links of a node that is no longer welcome.
    fn dismiss(&self, node: NodeId, reason: &str);
}

/// A request in JSON, answered in JSON.
pub async fn call_json<Q: Serialize + Sync, A: DeserializeOwned>(
    nodes: &dyn Nodes,
    node: NodeId,
    path: &str,
    body: &Q,
    deadline: Duration,
) -> Result<A, NodeError> {
    let body = serde_json::to_vec(body).map_err(|error| NodeError::Broken(error.to_string()))?;
    parse(&nodes.call(node, path, Some(body.into()), deadline).await?)
}

/// A question without a body, answered in JSON.
pub async fn get_json<A: DeserializeOwned>(
    nodes: &dyn Nodes,
    node: NodeId,
    path: &str,
    deadline: Duration,
) -> Result<A, NodeError> {
    parse(&nodes.call(node, path, None, deadline).await?)
}

fn parse<A: DeserializeOwned>(answer: &[u8]) -> Result<A, NodeError> {
    // 204 has no body.
    serde_json::from_slice(if answer.is_empty() { b"null" } else { answer }).map_err(|error| {
        NodeError::Broken(format!("its answer cannot be read ({error}); are the versions too far apart?"))
    })
}
