//! What every endpoint can reach.

use std::sync::Arc;

use nodepanel_control::ControlPlane;
use tokio::sync::watch;

use crate::{Admission, MetricsHandle, PanelFiles, Proxies, Sockets};

/// Handed to every endpoint; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// The use-cases.
    pub plane: Arc<ControlPlane>,
    /// Turns true when this process is about to end: long streams close so that their readers move on.
    pub draining: watch::Receiver<bool>,
    /// Who may say for whom they ask.
    pub proxies: Proxies,
    /// Who is let in when not all can be answered in time.
    pub admission: Admission,
    /// Limits on streams that stay open.
    pub sockets: Sockets,
    /// The panel.
    pub panel: PanelFiles,
    /// What `/metrics` prints.
    pub metrics: MetricsHandle,
}

/// Returns when this process is about to end.
pub async fn drained(draining: &mut watch::Receiver<bool>) {
    // Waiting fails when the sender is gone, and that is the end as well.
    drop(draining.wait_for(|draining| *draining).await.map(drop));
}
