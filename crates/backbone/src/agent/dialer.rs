//! Keeps an agent linked to every API server: one task per address, for ever.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nodepanel_types::clock::{Clock, IdSource};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    AgentHandler, DialFailure, DialerStatus, IdentityKeeper,
    board::{Board, Need, SessionFacts},
    session::{Dialled, Session, Shared},
};
use crate::{LinkAddress, LinkTiming, tls::Purpose};

/// What a dialler needs.
pub struct DialerConfig {
    /// Who this agent is. A renewed certificate replaces the links one by one.
    pub keeper: Arc<IdentityKeeper>,
    /// Where API servers accept links; may change.
    pub addresses: watch::Receiver<Vec<LinkAddress>>,
    /// Grows with every start of the agent (the time of the start, say): of two agents with one certificate the one
    /// with the higher epoch is linked.
    pub epoch: u64,
    /// The agent's version.
    pub version: String,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// For the jitter.
    pub ids: Arc<dyn IdSource>,
    /// Intervals and deadlines.
    pub timing: LinkTiming,
}

/// Keeps the links of one agent.
pub struct Dialer {
    shared: Arc<Shared>,
    addresses: watch::Receiver<Vec<LinkAddress>>,
    ids: Arc<dyn IdSource>,
    sessions: Arc<AtomicU64>,
}

impl Dialer {
    /// A dialler that has not begun.
    pub fn new(config: DialerConfig, handler: Arc<dyn AgentHandler>) -> Self {
        let DialerConfig { keeper, addresses, epoch, version, clock, ids, timing } = config;
        let board = Board::new(epoch, Arc::clone(&clock), timing.clone());
        let shared = Arc::new(Shared { board, keeper, handler, clock, timing, version });
        Self { shared, addresses, ids, sessions: Arc::new(AtomicU64::new(1)) }
    }

    /// What is linked and what is not, and why.
    pub fn status(&self) -> watch::Receiver<DialerStatus> {
        self.shared.board.status()
    }

    /// Dials until `shutdown`, then closes the links gracefully.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut tasks: HashMap<LinkAddress, AbortOnDropHandle<()>> = HashMap::new();
        loop {
            let wanted = self.addresses.borrow_and_update().clone();
            tasks.retain(|address, _| {
                let keep = wanted.contains(address);
                if !keep {
                    self.shared.board.forget(address);
                }
                keep
            });
            for address in wanted {
                tasks.entry(address.clone()).or_insert_with(|| {
                    let dialling = Dialling {
                        shared: Arc::clone(&self.shared),
                        address,
                        ids: Arc::clone(&self.ids),
                        sessions: Arc::clone(&self.sessions),
                        failures: 0,
                        streak: 0,
                        burst: 0,
                    };
                    AbortOnDropHandle::new(tokio::spawn(dialling.run()))
                });
            }
            let changed = shutdown.run_until_cancelled(self.addresses.changed()).await;
            match changed {
                Some(Ok(())) => {}
                // Nobody can change the list any more: it stays.
                Some(Err(_)) => {
                    shutdown.cancelled().await;
                    break;
                }
                None => break,
            }
        }
        drop(tasks);
        self.shared.board.stop_all();
        let mut status = self.status();
        let closed = status.wait_for(|status| status.addresses.values().all(|at| at.links.is_empty()));
        // What does not close within a moment is cut when the process ends.
        let _ = tokio::time::timeout(self.shared.timing.ping_timeout, closed).await;
    }
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

/// One address.
struct Dialling {
    shared: Arc<Shared>,
    address: LinkAddress,
    ids: Arc<dyn IdSource>,
    sessions: Arc<AtomicU64>,
    /// Attempts since the last one that was worth it.
    failures: u32,
    /// Links made in a row without a pause.
    streak: u32,
    /// Duplicates in a row without a pause.
    burst: u32,
}

/// Time for the API server that was reached to hear that it was superfluous.
const BETWEEN_DIALS: Duration = Duration::from_millis(2);

/// The exponent of the longest pause while another API server is looked for behind an address that accepts: 320 ms with
/// the default intervals, so that the API server that was reached can stand back again.
const LONGEST_LOOK: u32 = 4;
/// For so many attempts (about ten seconds) it is looked for like this; then like for one that does not come back.
const ABOUT_TO_COME: u32 = 48;

/// What came of one attempt.
enum Attempt {
    Linked,
    Duplicate,
    Failed,
}

/// No host has this many API servers: links that break as soon as they are made are not made again at full speed.
const LONGEST_STREAK: u32 = 32;

impl Dialling {
    async fn run(mut self) {
        let mut news = self.shared.board.news();
        let mut identity = self.shared.keeper.watch();
        loop {
            news.mark_unchanged();
            let certificate = identity.borrow_and_update().facts().serial.clone();
            match self.shared.board.need(&self.address, &certificate, self.failures) {
                Need::Nothing => {
                    tokio::select! {
                        _ = news.changed() => {}
                        _ = identity.changed() => {}
                        // The end of a link that had not settled is no news, and must not go unnoticed for ever.
                        () = sleep(self.shared.timing.settled) => {}
                    }
                    (self.failures, self.streak) = (0, 0);
                }
                Need::Wait(until) => sleep_until(until).await,
                Need::Dial(purpose) => {
                    let attempt = self.attempt(purpose, certificate).await;
                    match attempt {
                        Attempt::Linked if self.streak < LONGEST_STREAK => {
                            (self.streak, self.burst) = (self.streak.saturating_add(1), 0);
                            continue;
                        }
                        // The API server that was reached stands back now; the next one gets this.
                        Attempt::Duplicate if self.burst < self.shared.board.burst(&self.address) => {
                            self.burst = self.burst.saturating_add(1);
                            sleep(BETWEEN_DIALS).await;
                            continue;
                        }
                        Attempt::Linked | Attempt::Duplicate | Attempt::Failed => self.burst = 0,
                    }
                    let mut random = [0; 8];
                    self.ids.fill(&mut random);
                    let exponent = match attempt {
                        // Somebody there accepts, and names one that is missing: it is about to accept, too.
                        Attempt::Duplicate if self.failures < ABOUT_TO_COME => self.failures.min(LONGEST_LOOK),
                        _ => self.failures,
                    };
                    let pause = self.shared.board.retry_pause(exponent, u64::from_le_bytes(random));
                    self.failures = self.failures.saturating_add(1);
                    tokio::select! {
                        () = sleep(pause) => {}
                        _ = news.changed() => self.failures = 0,
                    }
                    if self.failures > 6 {
                        self.streak = 0;
                    }
                }
            }
        }
    }

    async fn attempt(&self, purpose: Purpose, certificate: crate::pki::Serial) -> Attempt {
        let facts = SessionFacts {
            id: self.sessions.fetch_add(1, Ordering::Relaxed),
            address: self.address.clone(),
            purpose,
            certificate,
            stop: CancellationToken::new(),
        };
        let begun = Instant::now();
        match Session::dial(&self.shared, facts).await {
            Ok(Dialled::Linked) => Attempt::Linked,
            Ok(Dialled::Duplicate) => Attempt::Duplicate,
            Err(failure) => {
                self.report(&failure, begun);
                Attempt::Failed
            }
        }
    }

    fn report(&self, failure: &DialFailure, begun: Instant) {
        tracing::debug!(
            link.address = %self.address,
            link.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "An attempt to link failed: {failure}"
        );
        // The board has recorded a refusal when the connection ended.
        if !matches!(failure, DialFailure::Refused(_)) {
            self.shared.board.failed(&self.address, failure);
        }
    }
}
