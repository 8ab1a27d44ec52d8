//! Takes over what a node's journal has and this host's does not: once, in order, however long nobody listened.
//!
//! Every API server does so for every node that is linked to it; the journal knows what it has already. What was heard
//! counts when it is on this host's disk: whatever goes wrong before, the next stream begins after the last entry that
//! is there.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nodepanel_store::{Delivered, Journal, StoreError};
use nodepanel_types::{
    NodeId,
    wire::{ActivityEntry, JournalFrame, path},
};

use crate::{ControlPlane, nodes::NodeError};

/// The pause before a journal is read again, and that before a node whose agent is of an earlier version is asked again.
const PAUSE: Duration = Duration::from_millis(500);
const TOO_OLD: Duration = Duration::from_secs(30);

/// Why a stream ended.
enum Ended {
    /// The node cannot be asked, or has nothing more to say in this stream.
    Node(Option<NodeError>),
    /// This host's journal cannot be read or written.
    Disk(StoreError),
}

/// Goes on for as long as it is polled.
pub(super) async fn deliver(plane: &Arc<ControlPlane>, node: NodeId) {
    let Some(journal) = &plane.journal else { return std::future::pending().await };
    let mut said = false;
    loop {
        let pause = match once(plane, journal, node).await {
            Ended::Node(Some(NodeError::Refused { status: 404, .. })) => TOO_OLD,
            Ended::Node(_) => PAUSE,
            Ended::Disk(error) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::error!(link.node = %node, %error, "what a node did cannot be written down; it keeps it, and is asked again until it can");
                }
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn once(plane: &ControlPlane, journal: &Journal, node: NodeId) -> Ended {
    let from = match journal.position(node).await {
        Ok(None) => path::JOURNAL.to_owned(),
        Ok(Some(last)) => format!("{}?after={}&at={}", path::JOURNAL, last.n, last.at.as_millis()),
        Err(error) => return Ended::Disk(error),
    };
    let mut stream = match plane.nodes.stream(node, &from).await {
        Ok(stream) => stream,
        Err(error) => return Ended::Node(Some(error)),
    };
    let mut begins_at = None;
    while let Some(Ok(chunk)) = stream.next().await {
        let mut entries: Vec<ActivityEntry> = Vec::new();
        for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(JournalFrame::Begin { from }) => begins_at = Some(from),
                Ok(JournalFrame::Entry(entry)) => entries.push(entry),
                Err(error) => {
                    // Left out it would be a hole.
                    tracing::warn!(link.node = %node, %error, "an entry of a node's journal cannot be read; is its agent newer?");
                    return Ended::Node(None);
                }
            }
        }
        if entries.is_empty() {
            continue;
        }
        let delivered = Delivered { node, begins_at: begins_at.take(), entries, heard: plane.now() };
        if let Err(error) = journal.append(delivered).await {
            return Ended::Disk(error);
        }
    }
    Ended::Node(None)
}
