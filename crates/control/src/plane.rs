//! The control plane of one API server: what its use-cases work with.
//!
//! Reads come from memory and go on while the store is down. Writes go through `commit`, which makes a keyed write
//! happen once, and return when they are on disk and this process has seen them itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nodepanel_backbone::{LinkAddress, pki::CertificateAuthority};
use nodepanel_store::{Backend, Journal, Revision, StoreError};
use nodepanel_types::{
    NodeId, Timestamp, WorkerId,
    clock::{Clock, IdSource},
};

use crate::{
    ControlError,
    account::{LoginLimits, Passwords, SessionClaims},
    commit::StoredAnswer,
    events::Feed,
    nodes::Nodes,
    observed::Observed,
    platform::Platform,
    push::PushQueue,
    refusals::Refusals,
    secret::{MasterKey, Sealed},
    tables::Tables,
    template::ParsedTemplates,
};

/// How long a writer waits until its API server knows its write. Longer is not needed: whoever asks next waits again.
const READ_OWN_WRITE: Duration = Duration::from_millis(250);
/// How long a request waits until its API server knows what was written before it. Longer costs a reader a stale look.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What a control plane is made of.
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Backend>,
    /// What the nodes did, as this host remembers it; without one nothing is remembered, and nodes are asked.
    pub journal: Option<Journal>,
    /// What is known of the store in memory.
    pub tables: Tables,
    /// The way to the nodes.
    pub nodes: Arc<dyn Nodes>,
    /// What the nodes report.
    pub observed: Arc<Observed>,
    /// NodePanel's own processes.
    pub platform: Arc<dyn Platform>,
    /// The installation's master key.
    pub master: MasterKey,
    /// Who issues certificates.
    pub authority: Arc<CertificateAuthority>,
    /// Where agents reach the API servers.
    pub link_addresses: Vec<LinkAddress>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn IdSource>,
    /// This API server.
    pub instance: WorkerId,
}

/// The use-cases of one API server. Each is a method; the files of this crate hold them by resource.
pub struct ControlPlane {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Ids and secrets.
    pub ids: Arc<dyn IdSource>,
    /// This API server.
    pub instance: WorkerId,
    pub(crate) store: Arc<dyn Backend>,
    pub(crate) journal: Option<Journal>,
    pub(crate) tables: Tables,
    pub(crate) nodes: Arc<dyn Nodes>,
    pub(crate) observed: Arc<Observed>,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) master: MasterKey,
    pub(crate) authority: Arc<CertificateAuthority>,
    pub(crate) link_addresses: Vec<LinkAddress>,
    pub(crate) sessions: Sealed<SessionClaims>,
    pub(crate) answers: Sealed<StoredAnswer>,
    pub(crate) passwords: Passwords,
    pub(crate) logins: LoginLimits,
    pub(crate) refusals: Refusals,
    pub(crate) templates: ParsedTemplates,
    pub(crate) push: PushQueue,
    pub(crate) feed: Feed,
    /// Whether this process is known not to know all that was acknowledged.
    behind: AtomicBool,
}

impl ControlPlane {
    /// A control plane from its parts. Nothing runs yet: see [`crate::run`].
    pub fn new(parts: Parts) -> Self {
        Self {
            sessions: Sealed::new(&parts.master, "session"),
            answers: Sealed::new(&parts.master, "answer"),
            passwords: Passwords::new(parts.ids.clone()),
            logins: LoginLimits::new(&parts.master),
            refusals: Refusals::default(),
            templates: ParsedTemplates::default(),
            push: PushQueue::default(),
            feed: Feed::default(),
            behind: AtomicBool::new(false),
            clock: parts.clock,
            ids: parts.ids,
            instance: parts.instance,
            store: parts.store,
            journal: parts.journal,
            tables: parts.tables,
            nodes: parts.nodes,
            observed: parts.observed,
            platform: parts.platform,
            master: parts.master,
            authority: parts.authority,
            link_addresses: parts.link_addresses,
        }
    }

    /// Waits until the store was read once.
    pub async fn loaded(&self, patience: Duration) -> Result<(), StoreError> {
        self.tables.loaded(patience).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a node answers this API server.
    pub(crate) fn online(&self, node: NodeId) -> bool {
        self.observed.with(node, |picture| picture.is_some_and(crate::observed::NodePicture::online))
    }

    /// Waits until this process knows whatever was acknowledged before the call, here or at another API server. Every
    /// request begins with it, so that whoever makes a thing and asks for it at once, anywhere, is told of it. Costs
    /// microseconds unless another process wrote just now; while the store cannot be asked, what is known is all there
    /// is to answer from: what is there may be shown, but that something is not there cannot be said.
    pub async fn catch_up(&self) {
        let current = self.reach_newest().await;
        // Whoever asked before knows at least as much as whoever finds out later that all is known.
        self.behind.store(!current, Ordering::Relaxed);
    }

    async fn reach_newest(&self) -> bool {
        let Some(newest) = self.store.newest().await else { return false };
        if self.tables.revision().is_some_and(|known| known >= newest) {
            return true;
        }
        // Nobody waits for a copy that is known to be cut off.
        self.tables.freshness().outage.is_none() && self.tables.wait_for(newest, CATCH_UP).await.is_ok()
    }

    /// Whether this process is known not to know all that was acknowledged: the last [`ControlPlane::catch_up`] did not
    /// succeed.
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Relaxed)
    }

    /// What to answer when something, or a right, is not found in memory: `verdict`, if everything that was
    /// acknowledged is known here. Else it may exist all the same, and who asks is told that it cannot be asked now.
    pub(crate) fn missing(&self, verdict: ControlError) -> ControlError {
        if self.is_behind() {
            let reason = "this API server does not know yet what was written last".to_owned();
            return StoreError::Unavailable { reason }.into();
        }
        verdict
    }

    /// Waits until this process has seen a write of its own.
    pub(crate) async fn see(&self, revision: Revision) {
        // Late is not wrong: the write is done, and whoever reads too early reads what was so a moment ago.
        let _ = self.tables.wait_for(revision, READ_OWN_WRITE).await;
    }
}
