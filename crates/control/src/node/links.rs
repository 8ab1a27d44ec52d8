//! The way to the nodes over the backbone's links.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::{Method, Request, header};
use nodepanel_backbone::{LinkError, Registry, StreamOptions};
use nodepanel_types::NodeId;
use tokio::{sync::broadcast, time::Instant};

use crate::{
    nodes::{NodeError, NodeStream, Nodes},
    observed::Presence,
};

/// Waiting lines are handed on together, at most this many.
const LINES_AT_ONCE: usize = 512;

/// Nodes that are linked to this API server.
pub struct Links {
    registry: Registry,
    changes: broadcast::Sender<NodeId>,
}

impl Links {
    /// The links of `registry`. Starts a task that follows its changes for as long as the process lives.
    pub fn new(registry: Registry) -> Self {
        let changes = broadcast::Sender::new(4_096);
        let (told, source) = (changes.clone(), registry.clone());
        tokio::spawn(async move {
            let mut watch = source.watch();
            loop {
                match watch.recv().await {
                    Ok(change) => drop(told.send(change.node)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        for (node, _) in source.presences() {
                            drop(told.send(node));
                        }
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        Self { registry, changes }
    }
}

#[async_trait]
impl Nodes for Links {
    async fn call(
        &self,
        node: NodeId,
        path: &str,
        body: Option<Bytes>,
        deadline: Duration,
    ) -> Result<Bytes, NodeError> {
        let until = Instant::now() + deadline;
        let link = self.registry.expect(node, deadline).await.ok_or_else(|| self.silent(node))?;
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.unwrap_or_default())
            .map_err(|error| NodeError::Broken(error.to_string()))?;
        let left = || until.saturating_duration_since(Instant::now());
        let response = match link.request(request.clone(), left()).await {
            // The link was being replaced and this was not sent: the newest link takes it.
            Err(error) if !error.maybe_delivered() => {
                let newest = self.registry.expect(node, left()).await.ok_or_else(|| self.silent(node))?;
                newest.request(request, left()).await
            }
            outcome => outcome,
        };
        let response = response.map_err(|error| self.meaning(node, error))?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        Err(NodeError::refused(response.status(), response.body()))
    }

    async fn stream(&self, node: NodeId, path: &str) -> Result<NodeStream, NodeError> {
        let options = StreamOptions::default();
        let link = self.registry.expect(node, options.head).await.ok_or_else(|| self.silent(node))?;
        let lines = link.lines(path, &options).await.map_err(|error| self.meaning(node, error))?;
        Ok(Box::pin(lines.ready_chunks(LINES_AT_ONCE).map(|lines| {
            let mut chunk = BytesMut::new();
            for line in lines {
                match line {
                    Ok(text) => {
                        chunk.put_slice(&text);
                        chunk.put_u8(b'\n');
                    }
                    // What came before the error is handed on; the error comes again at the next reading.
                    Err(error) if chunk.is_empty() => return Err(NodeError::Broken(error.to_string())),
                    Err(_) => break,
                }
            }
            Ok(chunk.freeze())
        })))
    }

    fn presence(&self, node: NodeId) -> Presence {
        match self.registry.presence(node) {
            nodepanel_backbone::Presence::Connected { since, .. } => Presence::Online { since },
            nodepanel_backbone::Presence::Silent { since, reason } => Presence::Silent { since, reason },
            nodepanel_backbone::Presence::NeverSeen { .. } => Presence::Unseen,
        }
    }

    fn presence_changes(&self) -> broadcast::Receiver<NodeId> {
        self.changes.subscribe()
    }

    fn dismiss(&self, node: NodeId, reason: &str) {
        self.registry.disconnect(node, reason);
    }
}

impl Links {
    fn silent(&self, node: NodeId) -> NodeError {
        NodeError::Unreachable(match self.presence(node) {
            Presence::Silent { since, reason } => {
                format!("The node does not answer since {since}: {}.", reason.trim_end_matches('.'))
            }
            Presence::Online { .. } => "The link to the node was just lost; it is being restored.".to_owned(),
            Presence::Unseen => "The node has not linked to this API server yet.".to_owned(),
        })
    }

    fn meaning(&self, node: NodeId, error: LinkError) -> NodeError {
        match error {
            LinkError::NotConnected { .. } => self.silent(node),
            LinkError::Deadline { after } => NodeError::Deadline(after),
            LinkError::Refused { status, problem } => NodeError::of(status, problem),
            other => NodeError::Broken(other.to_string()),
        }
    }
}
