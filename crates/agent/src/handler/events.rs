//! GET `/v1/events`: hello, snapshot, then what is so as it changes. What happened is in `journal`.
//!
//! A reader that falls behind gets a fresh snapshot instead of a queue that grows.

use std::{sync::Arc, time::Duration};

use http::Response;
use nodepanel_backbone::{Body, LineSender, line_body};
use nodepanel_types::wire::NodeFrame;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::node::Node;

/// Frames that may wait for a slow reader before it counts as behind.
const WAITING: usize = 64;

pub(super) fn answer(node: &Arc<Node>, heartbeat: Duration) -> Response<Body> {
    let (sender, body) = line_body(WAITING, heartbeat);
    // Listens before the snapshot is taken: what happens in between is told twice, never not at all.
    let news = node.hub.listen();
    tokio::spawn(Stream { node: Arc::clone(node), sender }.run(news));
    Response::new(body)
}

struct Stream {
    node: Arc<Node>,
    sender: LineSender,
}

/// The reader is gone.
struct Gone;

impl Stream {
    async fn run(self, news: Receiver<Arc<NodeFrame>>) {
        let sender = self.sender.clone();
        tokio::select! {
            _ = self.tell(news) => {}
            () = sender.closed() => {}
        }
    }

    async fn tell(&self, mut news: Receiver<Arc<NodeFrame>>) -> Result<(), Gone> {
        self.send(&NodeFrame::Hello(self.node.facts())).await?;
        self.all_that_is().await?;
        loop {
            match news.recv().await {
                Ok(frame) => self.send(&frame).await?,
                Err(RecvError::Lagged(_)) => self.all_that_is().await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }

    async fn all_that_is(&self) -> Result<(), Gone> {
        self.send(&NodeFrame::Snapshot { servers: self.node.snapshot() }).await
    }

    async fn send(&self, frame: &NodeFrame) -> Result<(), Gone> {
        self.sender.send_json(frame).await.map_err(|_| Gone)
    }
}
