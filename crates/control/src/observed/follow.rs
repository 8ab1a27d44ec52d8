//! Follows the event stream of every node that is linked to this API server.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nodepanel_types::{
    NodeId,
    wire::{NodeFrame, path},
};
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

use super::{Presence, deliver::deliver};
use crate::ControlPlane;

/// The pause before a stream that broke is opened again.
const PAUSE: Duration = Duration::from_millis(50);

/// Follows all nodes, for ever. Presence is the link's; the picture is the stream's.
pub async fn follow_nodes(plane: Arc<ControlPlane>) {
    let mut changes = plane.nodes.presence_changes();
    let mut followers: HashMap<NodeId, JoinHandle<()>> = HashMap::new();
    for node in plane.tables.machines.all() {
        look(&plane, &mut followers, node.record.id);
    }
    loop {
        match changes.recv().await {
            Ok(node) => look(&plane, &mut followers, node),
            Err(RecvError::Lagged(_)) => {
                for node in plane.tables.machines.all() {
                    look(&plane, &mut followers, node.record.id);
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn look(plane: &Arc<ControlPlane>, followers: &mut HashMap<NodeId, JoinHandle<()>>, node: NodeId) {
    let presence = plane.nodes.presence(node);
    let online = matches!(presence, Presence::Online { .. });
    if online {
        let running = followers.get(&node).is_some_and(|follower| !follower.is_finished());
        if !running {
            let plane = Arc::clone(plane);
            let following = async move {
                tokio::select! {
                    () = follow(&plane, node) => {}
                    () = deliver(&plane, node) => {}
                }
            };
            followers.insert(node, tokio::spawn(following));
        }
    } else if let Some(follower) = followers.remove(&node) {
        follower.abort();
    }
    plane.observed.set_presence(node, presence);
}

async fn follow(plane: &Arc<ControlPlane>, node: NodeId) {
    loop {
        match plane.nodes.stream(node, path::EVENTS).await {
            Ok(mut stream) => {
                while let Some(Ok(chunk)) = stream.next().await {
                    for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        match serde_json::from_slice::<NodeFrame>(line) {
                            Ok(frame) => plane.observed.hear(node, frame, plane.now()),
                            // A newer agent may say things that this version does not know.
                            Err(error) => tracing::debug!(link.node = %node, %error, "a node said something unknown"),
                        }
                    }
                }
            }
            Err(error) => tracing::debug!(link.node = %node, %error, "a node's events cannot be read at the moment"),
        }
        if !matches!(plane.nodes.presence(node), Presence::Online { .. }) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
