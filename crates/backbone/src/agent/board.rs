//! Who is linked and who should be: the agent's whole picture of its links. No I/O, no tasks.
//!
//! Several API servers stand behind one address, and dialling it reaches any of them. Each names the others, so what
//! is wanted is known: dial until every one that is named has a connection of each purpose made with the present
//! certificate. One that went away stays wanted for a while, because its replacement is about to come up and nobody
//! can name it yet.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nodepanel_types::{Timestamp, WorkerId, clock::Clock};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::status::{AddressStatus, DialFailure, DialerStatus, FailureStatus, LinkStatus};
use crate::{
    LinkAddress, LinkTiming,
    pki::Serial,
    tls::Purpose,
    wire::{Goodbye, GoodbyeReason, Hello},
};

/// Dials in a row; more API servers than this behind one address are found a burst at a time.
const LONGEST_BURST: u32 = 8;

/// One connection as the board sees it.
#[derive(Debug, Clone)]
pub(super) struct SessionFacts {
    pub id: u64,
    pub address: LinkAddress,
    pub purpose: Purpose,
    /// The certificate that it was dialled with.
    pub certificate: Serial,
    /// Cancelled to end it gracefully.
    pub stop: CancellationToken,
}

struct Held {
    session: SessionFacts,
    since: Timestamp,
    settled_at: Instant,
    /// By then the API server has taken note of it or given it up: it probes a link before it counts on it.
    noted_by: Instant,
}

#[derive(Default)]
struct State {
    links: HashMap<(WorkerId, Purpose), Held>,
    /// Whom an API server, reached at an address, has named.
    named: HashMap<(LinkAddress, WorkerId), Vec<WorkerId>>,
    /// API servers that went away, until when they stay wanted.
    lost: HashMap<(LinkAddress, WorkerId), Instant>,
    /// Addresses that are not to be dialled before then.
    held_off: HashMap<LinkAddress, Instant>,
    failures: HashMap<LinkAddress, FailureStatus>,
    clock_ahead_ms: Option<i64>,
}

pub(super) struct Board {
    pub(super) epoch: u64,
    clock: Arc<dyn Clock>,
    timing: LinkTiming,
    state: Mutex<State>,
    status: watch::Sender<DialerStatus>,
    /// Counts the occasions on which dialling at once is worth it.
    news: watch::Sender<u64>,
}

/// What to do about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Dial(Purpose),
    /// Not before then.
    Wait(Instant),
    Nothing,
}

impl Board {
    pub(super) fn new(epoch: u64, clock: Arc<dyn Clock>, timing: LinkTiming) -> Self {
        Self {
            epoch,
            clock,
            timing,
            state: Mutex::default(),
            status: watch::Sender::new(DialerStatus::default()),
            news: watch::Sender::new(0),
        }
    }

    pub(super) fn status(&self) -> watch::Receiver<DialerStatus> {
        self.status.subscribe()
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What is missing at an address, for links made with this certificate.
    ///
    /// `attempt` counts those that were in vain. Both purposes have their turn: an API server that is named but does not
    /// come back must not keep the others from their bulk connection.
    pub(super) fn need(&self, address: &LinkAddress, certificate: &Serial, attempt: u32) -> Need {
        let mut state = self.lock();
        let now = Instant::now();
        state.lost.retain(|_, until| *until > now);
        if let Some(until) = state.held_off.get(address) {
            if *until > now {
                return Need::Wait(*until);
            }
            state.held_off.remove(address);
        }
        let wanted = state.wanted(address);
        let fresh = |instance: WorkerId, purpose| {
            state.links.get(&(instance, purpose)).is_some_and(|held| held.session.certificate == *certificate)
        };
        let lacks_control = wanted.is_empty() || wanted.iter().any(|instance| !fresh(*instance, Purpose::Control));
        let lacks_bulk = wanted.iter().any(|i| fresh(*i, Purpose::Control) && !fresh(*i, Purpose::Bulk));
        match (lacks_control, lacks_bulk) {
            (true, true) if attempt % 2 == 1 => Need::Dial(Purpose::Bulk),
            (true, _) => Need::Dial(Purpose::Control),
            (false, true) => Need::Dial(Purpose::Bulk),
            (false, false) => Need::Nothing,
        }
    }

    /// An API server has said hello. Returns whether the connection is superfluous.
    pub(super) fn hello(&self, session: &SessionFacts, hello: &Hello) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        // A hello may be read after the end of its connection: a link noted now would never be seen to end.
        if session.stop.is_cancelled() {
            return true;
        }
        state.clock_ahead_ms = Some(hello.now.as_millis().saturating_sub(now.as_millis()));
        let key = (hello.instance, session.purpose);
        let begun = Instant::now();
        // The API server may have lost what this end still believes in: then the new connection is the better one. What
        // it is still probing it has not lost: whoever replaced that would replace it again and again.
        let duplicate = state.links.get(&key).is_some_and(|held| {
            held.session.certificate == session.certificate
                && (hello.linked == Some(self.epoch) || begun < held.noted_by)
        });
        if !duplicate {
            let (settled_at, noted_by) = (begun + self.timing.settled, begun + self.timing.ping_timeout);
            let held = Held { session: session.clone(), since: now, settled_at, noted_by };
            if let Some(old) = state.links.insert(key, held) {
                old.session.stop.cancel();
            }
        }
        state.lost.remove(&(session.address.clone(), hello.instance));
        state.failures.remove(&session.address);
        let changed = state.name(&session.address, hello.instance, &hello.instances);
        self.publish(&state);
        drop(state);
        if changed {
            self.tell();
        }
        duplicate
    }

    /// An API server has named those at its address again.
    pub(super) fn instances(&self, session: &SessionFacts, instance: WorkerId, named: &[WorkerId]) {
        if self.lock().name(&session.address, instance, named) {
            self.tell();
        }
    }

    /// A connection has ended; `instance` if it had said hello.
    pub(super) fn ended(&self, session: &SessionFacts, instance: Option<WorkerId>, goodbye: Option<&Goodbye>) {
        let mut state = self.lock();
        session.stop.cancel();
        let now = Instant::now();
        let unwanted =
            goodbye.filter(|goodbye| matches!(goodbye.reason, GoodbyeReason::Superseded | GoodbyeReason::NotAdmitted));
        if let Some(goodbye) = unwanted {
            state.held_off.insert(session.address.clone(), now + self.timing.refused_pause);
            let failure = DialFailure::Refused(goodbye.clone());
            state.fail(&session.address, &failure, self.clock.now());
        }
        let mut urgent = false;
        if let Some(instance) = instance {
            let key = (instance, session.purpose);
            let held = state.links.get(&key).filter(|held| held.session.id == session.id);
            if let Some(settled_at) = held.map(|held| held.settled_at) {
                state.links.remove(&key);
                urgent = settled_at <= now;
                if session.purpose == Purpose::Control {
                    // Its pings would notice much later.
                    if let Some(bulk) = state.links.remove(&(instance, Purpose::Bulk)) {
                        bulk.session.stop.cancel();
                    }
                    state.named.retain(|(_, by), _| *by != instance);
                    if unwanted.is_none() {
                        let until = now + self.timing.remember_lost;
                        state.lost.insert((session.address.clone(), instance), until);
                    }
                }
            }
        }
        self.publish(&state);
        drop(state);
        // Links that break as soon as they are made are left to the dialler's backoff.
        if urgent {
            self.tell();
        }
    }

    pub(super) fn failed(&self, address: &LinkAddress, failure: &DialFailure) {
        let mut state = self.lock();
        state.fail(address, failure, self.clock.now());
        self.publish(&state);
    }

    /// The address is no longer to be dialled: its connections end.
    pub(super) fn forget(&self, address: &LinkAddress) {
        let mut state = self.lock();
        for held in state.links.values().filter(|held| held.session.address == *address) {
            held.session.stop.cancel();
        }
        state.named.retain(|(at, _), _| at != address);
        state.lost.retain(|(at, _), _| at != address);
        state.held_off.remove(address);
        state.failures.remove(address);
        self.publish(&state);
    }

    /// Ends every connection gracefully.
    pub(super) fn stop_all(&self) {
        for held in self.lock().links.values() {
            held.session.stop.cancel();
        }
    }

    /// How many dials in a row, one per API server that is wanted, give each of them its turn.
    pub(super) fn burst(&self, address: &LinkAddress) -> u32 {
        u32::try_from(self.lock().wanted(address).len()).unwrap_or(u32::MAX).min(LONGEST_BURST)
    }

    pub(super) fn retry_pause(&self, exponent: u32, random: u64) -> Duration {
        let (first, longest) = self.timing.backoff;
        let pause = first.saturating_mul(1_u32.checked_shl(exponent).unwrap_or(u32::MAX)).min(longest);
        // Between half and all of it, so that agents that lost the same server do not return in step.
        let per_mille = 500 + u32::try_from(random % 501).unwrap_or(0);
        pause.saturating_mul(per_mille) / 1_000
    }

    fn tell(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn publish(&self, state: &State) {
        let now = state.status();
        self.status.send_if_modified(|held| {
            let changed = *held != now;
            *held = now;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wanted(&self, address: &LinkAddress) -> BTreeSet<WorkerId> {
        let named = self.named.iter().filter(|((at, _), _)| at == address);
        let named = named.flat_map(|((_, by), others)| others.iter().chain(std::iter::once(by)));
        let lost = self.lost.keys().filter(|(at, _)| at == address).map(|(_, instance)| instance);
        named.chain(lost).copied().collect()
    }

    /// Returns whether somebody is named that was not wanted before.
    fn name(&mut self, address: &LinkAddress, by: WorkerId, named: &[WorkerId]) -> bool {
        let before = self.wanted(address);
        self.named.insert((address.clone(), by), named.to_vec());
        self.wanted(address).difference(&before).next().is_some()
    }

    fn fail(&mut self, address: &LinkAddress, failure: &DialFailure, now: Timestamp) {
        let reason = failure.to_string();
        let status = self.failures.entry(address.clone()).or_insert_with(|| FailureStatus {
            since: now,
            attempts: 0,
            reason: String::new(),
        });
        if status.reason != reason {
            tracing::warn!(link.address = %address, "No link to an API server: {reason}");
            status.reason = reason;
        }
        status.attempts = status.attempts.saturating_add(1);
    }

    fn status(&self) -> DialerStatus {
        let mut status = DialerStatus { clock_ahead_ms: self.clock_ahead_ms, ..DialerStatus::default() };
        for ((instance, purpose), held) in &self.links {
            let at: &mut AddressStatus = status.addresses.entry(held.session.address.clone()).or_default();
            at.links.push(LinkStatus { instance: *instance, bulk: *purpose == Purpose::Bulk, since: held.since });
        }
        for (address, failure) in &self.failures {
            status.addresses.entry(address.clone()).or_default().failure = Some(failure.clone());
        }
        for at in status.addresses.values_mut() {
            at.links.sort_by_key(|link| (link.instance, link.bulk));
        }
        status
    }
}
