//! Server-sent events of `/api/v1/events`: the `event` field is the `type`, the `data` field the whole object.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NodeView, ServerView};
use crate::{NodeId, ServerId, TemplateId, stats::Sample};

/// One event. The first after a connection is `hello`; whoever reads it fetches its lists again, since events from
/// before are not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum ApiEvent {
    /// The stream begins, or events were dropped because the reader was slow: fetch again.
    Hello {
        /// NodePanel's version, so that a page knows when it is older than the server.
        version: String,
        /// Which API server speaks.
        instance: String,
    },
    /// A server is new or has changed.
    Server {
        /// All of it.
        server: Box<ServerView>,
    },
    /// A server is gone.
    ServerRemoved {
        /// Which.
        id: ServerId,
    },
    /// Once a second: figures of the servers that the caller may see and that run.
    Stats {
        /// The figures.
        ticks: Vec<StatsTick>,
    },
    /// A node is new or has changed (administrators).
    Node {
        /// All of it.
        node: Box<NodeView>,
    },
    /// A node is gone (administrators).
    NodeRemoved {
        /// Which.
        id: NodeId,
    },
    /// A template is new, has changed or is gone.
    TemplateChanged {
        /// Which.
        id: TemplateId,
    },
    /// NodePanel's own processes changed: fetch `/components` again (administrators).
    ComponentsChanged,
}

/// Figures of one server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatsTick {
    /// Which server.
    pub id: ServerId,
    /// Its figures.
    #[serde(flatten)]
    pub sample: Sample,
}
