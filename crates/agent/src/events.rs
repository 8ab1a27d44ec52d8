//! What happens on the node, for everybody who listens: bounded, and never waiting for a slow listener.
//!
//! A listener that falls behind is told so by `RecvError::Lagged` and starts again from a snapshot.

use nodepanel_types::wire::NodeFrame;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Frames that a listener may be behind.
const BACKLOG: usize = 1_024;

/// Passes on frames.
#[derive(Debug, Clone)]
pub struct Hub {
    sender: broadcast::Sender<Arc<NodeFrame>>,
}

impl Hub {
    /// A hub without listeners.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Tells everybody who listens.
    pub fn tell(&self, frame: NodeFrame) {
        // Nobody listens: that is no error.
        let _ = self.sender.send(Arc::new(frame));
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<NodeFrame>> {
        self.sender.subscribe()
    }
}
