//! GET `/v1/journal`: what the node did, from its disk, after what the reader has, then everything as it is written.
//!
//! Only what is on the disk is told, in the order of its numbers and without a hole: a reader that writes down what it
//! hears and begins after it the next time has everything once, however long it was away. A stream that cannot go on
//! like that ends, and the reader begins another.

use std::{sync::Arc, time::Duration};

use http::Response;
use nodepanel_backbone::{Body, LineSender, line_body};
use nodepanel_types::{Timestamp, wire::JournalFrame};

use super::{
    problem::Refusal,
    route::{number, signed},
};
use crate::node::Node;

/// Frames that may wait for a slow reader before nothing more is read from the disk.
const WAITING: usize = 64;
/// Entries that are read at a time.
const PAGE: u32 = 200;

pub(super) async fn answer(node: &Arc<Node>, query: &str, heartbeat: Duration) -> Result<Response<Body>, Refusal> {
    let after = number(query, "after")?.unwrap_or(0);
    let at = signed(query, "at")?.map(Timestamp::from_millis);
    let from = node.db.activity_from(after, at).await?;
    let (sender, body) = line_body(WAITING, heartbeat);
    tokio::spawn(tell(Arc::clone(node), sender, from));
    Ok(Response::new(body))
}

async fn tell(node: Arc<Node>, sender: LineSender, from: u64) {
    let gone = sender.clone();
    tokio::select! {
        // Either way the stream ends, and the reader begins another.
        _ = follow(&node, &sender, from) => {}
        () = gone.closed() => {}
    }
}

/// Ends when the reader is gone, when the disk cannot be read, and when what comes next is not there any more.
async fn follow(node: &Node, sender: &LineSender, from: u64) -> Option<()> {
    let mut end = node.journal_end.subscribe();
    sender.send_json(&JournalFrame::Begin { from }).await.ok()?;
    let mut next = from;
    loop {
        end.borrow_and_update();
        loop {
            let entries = node.db.activity_after(next.saturating_sub(1), PAGE).await.ok()?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                if entry.n != next {
                    return None;
                }
                next += 1;
                sender.send_json(&JournalFrame::Entry(entry)).await.ok()?;
            }
        }
        end.changed().await.ok()?;
    }
}
