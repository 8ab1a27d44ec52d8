//! GET `/v1/events`: hello, snapshot, the activity that the reader has not seen, then everything as it happens.
//!
//! A reader that falls behind gets a fresh snapshot instead of a queue that grows.

use std::{sync::Arc, time::Duration};

use http::Response;
use nodepanel_backbone::{Body, LineSender, line_body};
use nodepanel_types::wire::NodeFrame;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{problem::Refusal, route::number};
use crate::node::Node;

/// Frames that may wait for a slow reader before it counts as behind.
const WAITING: usize = 64;
/// Entries of the journal that are read at a time.
const PAGE: u32 = 200;

pub(super) fn answer(node: &Arc<Node>, query: &str, heartbeat: Duration) -> Result<Response<Body>, Refusal> {
    let told = number(query, "after")?.unwrap_or(0);
    let (sender, body) = line_body(WAITING, heartbeat);
    // Listens before the snapshot is taken: what happens in between is told twice, never not at all.
    let news = node.hub.listen();
    tokio::spawn(Stream { node: Arc::clone(node), sender, told }.run(news));
    Ok(Response::new(body))
}

struct Stream {
    node: Arc<Node>,
    sender: LineSender,
    /// The last activity that was told.
    told: u64,
}

/// The reader is gone.
struct Gone;

impl Stream {
    async fn run(mut self, news: Receiver<Arc<NodeFrame>>) {
        let sender = self.sender.clone();
        tokio::select! {
            _ = self.tell(news) => {}
            () = sender.closed() => {}
        }
    }

    async fn tell(&mut self, mut news: Receiver<Arc<NodeFrame>>) -> Result<(), Gone> {
        self.send(&NodeFrame::Hello(self.node.facts())).await?;
        self.all_that_is().await?;
        loop {
            match news.recv().await {
                Ok(frame) => match &*frame {
                    NodeFrame::Activity(entry) if entry.n <= self.told => {}
                    NodeFrame::Activity(entry) if entry.n == self.told + 1 => {
                        self.send(&frame).await?;
                        self.told = entry.n;
                    }
                    NodeFrame::Activity(_) => self.journal().await?,
                    frame => self.send(frame).await?,
                },
                Err(RecvError::Lagged(_)) => self.all_that_is().await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }

    async fn all_that_is(&mut self) -> Result<(), Gone> {
        self.send(&NodeFrame::Snapshot { servers: self.node.snapshot() }).await?;
        self.journal().await
    }

    /// What is in the journal after the last entry that was told.
    async fn journal(&mut self) -> Result<(), Gone> {
        // A journal that cannot be read is reported elsewhere and read again with the next entry.
        while let Ok(entries) = self.node.db.activity_after(self.told, PAGE).await {
            let Some(last) = entries.last().map(|entry| entry.n) else { break };
            for entry in entries {
                self.send(&NodeFrame::Activity(entry)).await?;
            }
            self.told = last;
        }
        Ok(())
    }

    async fn send(&self, frame: &NodeFrame) -> Result<(), Gone> {
        self.sender.send_json(frame).await.map_err(|_| Gone)
    }
}
