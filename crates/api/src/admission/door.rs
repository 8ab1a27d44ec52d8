//! The door of one API server: its valves, the probe of its event loop, and who is inside.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use axum::http::Method;
use nodepanel_types::problem::{Problem, ProblemCode};
use tokio::{
    sync::Notify,
    time::{Instant as TokioInstant, sleep_until},
};

use super::{Rank, valve::Valve};
use crate::edge::ApiError;

/// The wait of the event loop that is still good. Answers take a few such waits, and people are told to expect less than
/// half a second.
const LOOP_TARGET: Duration = Duration::from_millis(25);
/// The same for a write, which waits for others and for the disk.
const WRITE_TARGET: Duration = Duration::from_millis(150);
/// So few writes at once are no queue, however long the disk takes.
const FEW_WRITES: usize = 8;
/// Requests inside at once, whatever the waits: what bounds the memory.
const INSIDE: usize = 1_024;
/// How often the event loop is asked how late it is, while there is a reason to ask.
const PROBE: Duration = Duration::from_millis(5);
/// Requests in a period that are a reason, and how long it stays one.
const BUSY: u32 = 25;
const PERIOD: Duration = Duration::from_millis(100);
const STAYS_BUSY: Duration = Duration::from_secs(1);

/// The door. Clones are the same door.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Door>);

#[derive(Debug)]
struct Door {
    began: Instant,
    state: Mutex<State>,
    /// Woken when there is a reason to look at the event loop.
    busy: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    event_loop: Valve,
    writes: Valve,
    inside: usize,
    writing: usize,
    /// Requests in the present period, and its end.
    arrivals: (u32, Duration),
    busy_until: Duration,
    /// Refused since the door was last open.
    refused: u64,
}

/// A request that was let in; it is inside until this is dropped.
#[derive(Debug)]
pub struct Place {
    door: Arc<Door>,
    began: Duration,
    kind: Kind,
}

/// What a request tells about the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    /// A write that waits for something else: checking a password waits for its turn.
    SlowWrite,
}

impl Admission {
    /// Opens the door, and watches the event loop of the caller's runtime from then on.
    pub fn open() -> Self {
        let valves = (Valve::new(LOOP_TARGET), Valve::new(WRITE_TARGET));
        let state = State {
            event_loop: valves.0,
            writes: valves.1,
            inside: 0,
            writing: 0,
            arrivals: (0, PERIOD),
            busy_until: Duration::ZERO,
            refused: 0,
        };
        let door = Arc::new(Door { began: Instant::now(), state: Mutex::new(state), busy: Arc::default() });
        tokio::spawn(probe(Arc::downgrade(&door)));
        Self(door)
    }

    /// Lets a request in, or says when to come again. `route` is the pattern that it matched.
    pub fn enter(&self, method: &Method, route: Option<&str>) -> Result<Option<Place>, ApiError> {
        let Some(rank) = Rank::of(method, route) else { return Ok(None) };
        let now = self.0.now();
        let kind = Kind::of(method, route);
        let write = kind == Kind::Write;
        let mut state = self.0.state();
        if state.arrived(now) {
            self.0.busy.notify_one();
        }
        let full = state.inside >= INSIDE;
        let admitted = !full
            && state.event_loop.admit(now, rank)
            && (!write || state.writing < FEW_WRITES || state.writes.admit(now, rank));
        if !admitted {
            state.refused += 1;
            let first = state.refused == 1;
            let share = if full { 0.0 } else { state.event_loop.share().min(state.writes.share()) };
            drop(state);
            if first {
                tracing::warn!("more requests come than can be answered in time; refusing some until that is over");
            }
            metrics::counter!("nodepanel_http_shed_total", "rank" => rank.as_str()).increment(1);
            return Err(later(share));
        }
        state.inside += 1;
        state.writing += usize::from(write);
        drop(state);
        Ok(Some(Place { door: Arc::clone(&self.0), began: now, kind }))
    }
}

impl Kind {
    fn of(method: &Method, route: Option<&str>) -> Self {
        match (method, route) {
            (&Method::GET | &Method::HEAD, _) => Self::Read,
            (_, Some("/api/v1/session" | "/api/v1/session/password" | "/api/v1/setup")) => Self::SlowWrite,
            _ => Self::Write,
        }
    }
}

impl Door {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // For the probe, which ends with the door.
        self.busy.notify_one();
    }
}

impl State {
    /// Counts a request; whether this is the moment to begin to look at the event loop.
    fn arrived(&mut self, now: Duration) -> bool {
        let (count, until) = self.arrivals;
        self.arrivals = if now >= until { (1, now + PERIOD) } else { (count + 1, until) };
        if self.arrivals.0 < BUSY {
            return false;
        }
        let idle = now >= self.busy_until;
        self.busy_until = now + STAYS_BUSY;
        idle
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = self.door.now();
        let mut state = self.door.state();
        state.inside -= 1;
        if self.kind == Kind::Write {
            state.writing -= 1;
            state.writes.waited(now, now.saturating_sub(self.began));
        }
    }
}

/// Asks the event loop how late it is, as long as there is a reason to; ends with the door.
async fn probe(door: Weak<Door>) {
    loop {
        let Some(present) = door.upgrade() else { return };
        let (now, busy) = (present.now(), present.state().busy_until);
        if now >= busy {
            let refused = {
                let mut state = present.state();
                state.event_loop.open();
                std::mem::take(&mut state.refused)
            };
            if refused > 0 {
                tracing::info!(requests = refused, "every request is let in again; so many were refused");
            }
            let busy = Arc::clone(&present.busy);
            // Not held while waiting: the door may close.
            drop(present);
            busy.notified().await;
            continue;
        }
        let due = TokioInstant::now() + PROBE;
        present.state().event_loop.all_wait(now + PROBE);
        drop(present);
        sleep_until(due).await;
        let late = due.elapsed();
        let Some(present) = door.upgrade() else { return };
        let now = present.now();
        present.state().event_loop.all_waited(now, late);
    }
}

/// The refusal, with the time after which there may be room.
fn later(share: f64) -> ApiError {
    let mut problem = Problem::new(
        ProblemCode::Overloaded,
        "More is asked of NodePanel at the moment than it can answer in time, so this was not begun. Game servers and \
         open consoles go on. Try again in a moment.",
    );
    // Clients add their own jitter; longer than a storm lasts nobody should be sent away.
    problem.retry_after_s = Some(if share > 0.1 { 1 } else { 2 });
    ApiError(Box::new(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_inside_is_bounded_and_health_is_told_all_the_same() {
        let door = Admission::open();
        let servers = Some("/api/v1/servers/{id}");
        let inside: Vec<_> = (0..INSIDE).map(|_| door.enter(&Method::GET, servers).unwrap()).collect();
        let refusal = door.enter(&Method::GET, servers).unwrap_err().0;
        assert_eq!((refusal.code, refusal.status), (ProblemCode::Overloaded, 503));
        assert!(refusal.retry_after_s.is_some_and(|seconds| seconds >= 1));
        assert!(door.enter(&Method::GET, Some("/readyz")).unwrap().is_none());
        drop(inside);
        assert!(door.enter(&Method::GET, servers).is_ok());
        assert_eq!(door.0.state().inside, 0);
    }

    #[tokio::test]
    async fn an_event_loop_that_is_late_under_load_lets_less_in_and_few_requests_are_never_refused() {
        let door = Admission::open();
        let route = Some("/api/v1/servers");
        let mut now = Duration::from_secs(60);
        for _ in 0..30 {
            for _ in 0..100 {
                drop(door.enter(&Method::GET, route));
            }
            now += Duration::from_millis(200);
            door.0.state().event_loop.all_waited(now, Duration::from_millis(200));
        }
        let refused = (0..200).filter(|_| door.enter(&Method::GET, route).is_err()).count();
        assert!(refused > 150, "{refused}");
        let power = Some("/api/v1/servers/{id}/power");
        assert!(door.enter(&Method::POST, power).is_ok(), "power is let in when lists are not");
        let quiet = Admission::open();
        quiet.0.state().event_loop.waited(Duration::from_millis(200), Duration::from_secs(1));
        assert!(quiet.enter(&Method::GET, route).is_ok() && quiet.enter(&Method::POST, route).is_ok());
    }

    #[tokio::test]
    async fn the_probe_rests_when_nobody_asks() {
        let door = Admission::open();
        tokio::task::yield_now().await;
        door.enter(&Method::GET, Some("/api/v1/servers")).unwrap();
        assert_eq!(door.0.state().busy_until, Duration::ZERO);
        for _ in 0..BUSY {
            drop(door.enter(&Method::GET, Some("/api/v1/servers")));
        }
        assert!(door.0.state().busy_until > Duration::ZERO);
    }
}
