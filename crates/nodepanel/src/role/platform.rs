//! What an API server knows of NodePanel's own processes: the supervisor's word, asked for in the background so that
//! no request waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nodepanel_control::Platform;
use nodepanel_supervise::worker::Worker;
use nodepanel_types::{Timestamp, clock::Clock, component::Component};
use tokio::sync::Notify;

use crate::local::Proofs;

/// How often the supervisor is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// The newest word of the supervisor.
pub struct Components {
    clock: Arc<dyn Clock>,
    proofs: Proofs,
    known: Mutex<(Timestamp, Vec<Component>, Option<String>)>,
    /// Woken when the processes changed.
    pub changed: Notify,
}

impl Components {
    /// Asks through `worker` for ever.
    pub fn follow(worker: Worker, clock: Arc<dyn Clock>, proofs: Proofs) -> Arc<Self> {
        let never = Some("The supervisor has not been asked yet.".to_owned());
        let components = Arc::new(Self {
            known: Mutex::new((clock.now(), Vec::new(), never)),
            clock,
            proofs,
            changed: Notify::new(),
        });
        let asking = Arc::clone(&components);
        tokio::spawn(async move {
            loop {
                match worker.status().await {
                    Ok(components) => asking.note(Some(components), None),
                    Err(error) => asking.note(None, Some(format!("The list may be old: {error}."))),
                }
                tokio::time::sleep(PERIOD).await;
            }
        });
        components
    }

    fn note(&self, components: Option<Vec<Component>>, stale: Option<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = known.2 != stale;
        if let Some(components) = components {
            changed |= known.1 != components;
            known.0 = self.clock.now();
            known.1 = components;
        }
        known.2 = stale;
        drop(known);
        if changed {
            self.changed.notify_waiters();
        }
    }
}

impl Platform for Components {
    fn components(&self) -> (Timestamp, Vec<Component>, Option<String>) {
        let (as_of, components, stale) = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (now, max_age) = (self.clock.now(), self.proofs.max_age());
        let components = components.into_iter().map(|component| component.doubted(now, max_age)).collect();
        (as_of, components, stale)
    }
}

/// `Components` behind the seam of `control`.
pub struct Shared(pub Arc<Components>);

impl Platform for Shared {
    fn components(&self) -> (Timestamp, Vec<Component>, Option<String>) {
        self.0.components()
    }
}
