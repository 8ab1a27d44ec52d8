//! An API server that runs now. Lives under a lease: it vanishes when the API server does.

use nodepanel_types::{Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

/// A running API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// Which.
    pub id: WorkerId,
    /// Since when.
    pub started_at: Timestamp,
}

super::record!(InstanceRecord, "api-servers", WorkerId);
