//! What an API server knows of NodePanel's own processes: the supervisor's word, asked for in the background so that
//! no request waits for it.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use nodepanel_control::Platform;
use nodepanel_supervise::{recoveries::Journal, run_dir::RunDir, wire::protocol::Recovery, worker::Worker};
use nodepanel_types::{
    Timestamp,
    clock::Clock,
    component::{AutomaticAction, Component, Renewal, doubted},
};
use tokio::sync::Notify;

use crate::local::{DataDir, Proofs};

/// How often the supervisor is asked.
const PERIOD: Duration = Duration::from_secs(1);
/// Automatic actions that can be read, the newest; the supervisor tells no more at a time.
const HISTORY: usize = 1_000;

/// The newest word of the supervisor.
pub struct Components {
    worker: Worker,
    run_dir: PathBuf,
    host: String,
    clock: Arc<dyn Clock>,
    proofs: Proofs,
    known: Mutex<(Timestamp, Vec<Component>, Option<String>)>,
    renewal: Mutex<Option<Renewal>>,
    /// Woken when the processes changed.
    pub changed: Notify,
}

impl Components {
    /// Asks through `worker` for ever.
    pub fn follow(worker: Worker, data_dir: &DataDir, clock: Arc<dyn Clock>, proofs: Proofs) -> Arc<Self> {
        let never = Some("The supervisor has not been asked yet.".to_owned());
        let components = Arc::new(Self {
            renewal: Mutex::default(),
            known: Mutex::new((clock.now(), Vec::new(), never)),
            worker,
            run_dir: RunDir::path_in(data_dir.path()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            clock,
            proofs,
            changed: Notify::new(),
        });
        let asking = Arc::clone(&components);
        tokio::spawn(async move {
            loop {
                match asking.worker.status().await {
                    Ok((components, renewal)) => {
                        *asking.renewal.lock().unwrap_or_else(PoisonError::into_inner) = renewal;
                        asking.note(Some(components), None);
                    }
                    Err(error) => asking.note(None, Some(format!("The list may be old: {error}."))),
                }
                tokio::time::sleep(PERIOD).await;
            }
        });
        components
    }

    fn newest_first(&self, entries: Vec<Recovery>) -> Vec<AutomaticAction> {
        entries.into_iter().rev().map(|entry| entry.on(&self.host)).collect()
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

#[async_trait]
impl Platform for Components {
    fn components(&self) -> (Timestamp, Vec<Component>, Option<String>) {
        let (as_of, components, stale) = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (now, max_age) = (self.clock.now(), self.proofs.max_age());
        (as_of, doubted(components, now, max_age), stale)
    }

    fn renewal(&self) -> Option<Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn history(&self) -> Result<Vec<AutomaticAction>, String> {
        let away = match self.worker.recoveries(HISTORY).await {
            Ok(entries) => return Ok(self.newest_first(entries)),
            Err(away) => away,
        };
        let run_dir = self.run_dir.clone();
        let read = tokio::task::spawn_blocking(move || Journal::read(&run_dir, HISTORY)).await;
        match read.map_err(io::Error::other).flatten() {
            Ok(entries) => Ok(self.newest_first(entries)),
            Err(error) => {
                tracing::warn!(%error, "what the supervisor wrote down cannot be read");
                Err(format!(
                    "What NodePanel did by itself cannot be read now: {away}, and the file that it writes on this host \
                     cannot be read either. Try again in a moment; `nodepanel doctor` explains what it finds."
                ))
            }
        }
    }
}

/// `Components` behind the seam of `control`.
pub struct Shared(pub Arc<Components>);

#[async_trait]
impl Platform for Shared {
    fn components(&self) -> (Timestamp, Vec<Component>, Option<String>) {
        self.0.components()
    }

    fn renewal(&self) -> Option<Renewal> {
        self.0.renewal()
    }

    async fn history(&self) -> Result<Vec<AutomaticAction>, String> {
        self.0.history().await
    }
}
