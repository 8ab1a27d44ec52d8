//! What can go wrong with a request to an agent, and whether the agent may have acted on it.

use std::time::Duration;

use http::StatusCode;
use nodepanel_types::NodeId;
use serde::{Deserialize, Serialize};

use crate::body::BodyError;

/// An agent's reason for refusing a request: an RFC 9457 problem document, as far as the link cares.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Problem {
    /// A stable name of the kind of problem.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// What happened, for people.
    #[serde(default)]
    pub title: String,
    /// The particulars of this case.
    #[serde(default)]
    pub detail: String,
}

/// A request to an agent did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// This API server has no link to the node.
    #[error("this API server has no link to the node {node}")]
    NotConnected {
        /// Which node.
        node: NodeId,
    },
    /// As much is under way on this link as it takes.
    #[error("the link to the node is busy: {limit} {what} are under way already")]
    Busy {
        /// Of what there is too much.
        what: &'static str,
        /// How many are admitted.
        limit: usize,
    },
    /// The agent did not answer in time.
    #[error("the node did not answer within {} ms", after.as_millis())]
    Deadline {
        /// How long was waited.
        after: Duration,
    },
    /// The link closed before the answer was complete.
    #[error("the link to the node closed: {why}")]
    Closed {
        /// What is known.
        why: String,
        /// Whether the agent may have received the request.
        delivered: bool,
    },
    /// The agent answered with an error.
    #[error("the node refused the request ({}): {}", status.as_u16(), problem_text(problem))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        problem: Problem,
    },
    /// The body of the request or of the answer broke off.
    #[error("the transfer with the node failed")]
    Body(#[source] BodyError),
    /// The answer, or the request, is not what it should be.
    #[error("{what} is not in the expected form: {why}")]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl LinkError {
    /// Whether the agent may have received the request and acted on it. When not, it can be sent again without an
    /// idempotency key.
    pub fn maybe_delivered(&self) -> bool {
        match self {
            Self::NotConnected { .. } | Self::Busy { .. } => false,
            Self::Closed { delivered, .. } => *delivered,
            Self::Deadline { .. } | Self::Refused { .. } | Self::Body(_) | Self::Unreadable { .. } => true,
        }
    }

    /// Whether another API server, with a link of its own to the node, might have more luck.
    pub fn worth_another_link(&self) -> bool {
        matches!(self, Self::NotConnected { .. } | Self::Busy { .. } | Self::Deadline { .. } | Self::Closed { .. })
    }

    pub(crate) fn closed(why: impl Into<String>, delivered: bool) -> Self {
        Self::Closed { why: why.into(), delivered }
    }

    pub(crate) fn unreadable(what: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Unreadable { what, why: error.to_string() }
    }
}

impl From<BodyError> for LinkError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

fn problem_text(problem: &Problem) -> String {
    match (problem.title.as_str(), problem.detail.as_str()) {
        ("", "") => "it gave no reason".to_owned(),
        (text, "") | ("", text) => text.to_owned(),
        (title, detail) => format!("{title}: {detail}"),
    }
}
