//! How much of what comes is let in: a pure controller. Instants and measured waits go in, decisions come out.
//!
//! ```text
//!            shortest wait of a window > target, for many
//!   open ───────────────────────────────────────────────▶ throttled ──┐ again: the share shrinks by how far the wait is
//!    ▲                                                       │   ▲    │ off, and to almost nothing when it is far off
//!    └── share back at 1, a little each window ──────────────┘   └────┘
//!        with a short wait in it; a window in which nobody was seen to wait changes nothing
//! ```
//!
//! Invariants: nothing is refused while waits are short, or while few wait; the first so many requests of every window
//! are let in whatever the waits; of a higher rank never a smaller share is let in; once waits are short again
//! everything is let in within `1 / GROWTH` windows.

use std::time::Duration;

use super::Rank;

/// How long waits are watched before something follows from them. Stalls of 4 to 20 ms are normal on a shared machine;
/// a whole window without a single short wait is a queue.
pub const WINDOW: Duration = Duration::from_millis(50);
/// What the share grows by in a window without a queue: from almost nothing to all of it in 2.5 s.
const GROWTH: f64 = 0.02;
/// The most that it shrinks by in one window.
const DEEPEST: f64 = 0.2;
/// A wait of so many targets is no matter of shares any more: only what is always let in may still come.
const EMERGENCY: u32 = 4;
/// The smallest share; it must be able to grow.
const LEAST: f64 = 0.01;
/// Requests that come during one wait are a queue from so many on; counted by windows, that may be twice the truth. A
/// few clients that each wait for their answer make no queue, however slow the machine is for other reasons.
const MANY: f64 = 64.0;
/// Requests of each rank that are let in during a window in any case: 280 a second in all.
const ALWAYS: [u32; 3] = [6, 6, 2];

/// One thing that may be overloaded.
#[derive(Debug, Clone)]
pub struct Valve {
    /// The wait that is still good.
    target: Duration,
    /// How much of the ordinary is let in.
    share: f64,
    /// The end of the present window, on the caller's clock.
    until: Duration,
    /// The shortest wait in it.
    shortest: Option<Duration>,
    /// Since when everybody waits, whose wait is not over yet.
    waits_since: Option<Duration>,
    /// Requests that came since a wait was last judged, and since when that is.
    arrived: (u32, Duration),
    /// What was let in during it.
    admitted: [u32; 3],
    /// What is left over from rounding, for each rank.
    credit: [f64; 3],
}

impl Valve {
    /// One that is open.
    pub const fn new(target: Duration) -> Self {
        Self {
            target,
            share: 1.0,
            until: WINDOW,
            shortest: None,
            waits_since: None,
            arrived: (0, Duration::ZERO),
            admitted: [0; 3],
            credit: [0.0; 3],
        }
    }

    /// How much of the ordinary is let in, 0 to 1.
    pub const fn share(&self) -> f64 {
        self.share
    }

    /// Opens it: nobody watches any more, because there is nothing to see.
    pub const fn open(&mut self) {
        self.share = 1.0;
    }

    /// Takes in how long somebody waited.
    pub fn waited(&mut self, now: Duration, wait: Duration) {
        self.roll(now);
        self.shortest = Some(self.shortest.map_or(wait, |shortest| shortest.min(wait)));
    }

    /// Takes in that everybody waits from `since` on, until [`all_waited`](Self::all_waited) tells how long. A queue
    /// that only grows must not be judged at its end: by then as much stands behind it.
    pub const fn all_wait(&mut self, since: Duration) {
        self.waits_since = Some(since);
    }

    /// Takes in how long everybody had to wait. Longer than a window, it needs no other to be compared with.
    pub fn all_waited(&mut self, now: Duration, wait: Duration) {
        self.waits_since = None;
        self.waited(now, wait);
        if wait > WINDOW {
            self.close(now);
        }
    }

    /// Whether a request is let in.
    pub fn admit(&mut self, now: Duration, rank: Rank) -> bool {
        self.roll(now);
        self.arrived.0 = self.arrived.0.saturating_add(1);
        self.judge_unfinished(now);
        let share = match rank {
            // In this order: lists end at half of the load, power is let in until a quarter of it.
            Rank::Vital => (self.share * 4.0).min(1.0),
            Rank::Ordinary => self.share,
            Rank::Bulk => self.share.mul_add(2.0, -1.0).max(0.0),
        };
        let index = rank.index();
        let (Some(admitted), Some(credit), Some(always)) =
            (self.admitted.get_mut(index), self.credit.get_mut(index), ALWAYS.get(index))
        else {
            return true;
        };
        *credit += share;
        // Not `>= 1.0`: ten tenths are a little less.
        let due = *credit > 1.0 - 1e-9;
        if due {
            *credit -= 1.0;
        }
        let admit = due || *admitted < *always;
        *admitted += u32::from(admit);
        admit
    }

    fn roll(&mut self, now: Duration) {
        if now >= self.until {
            self.close(self.until);
            if now >= self.until {
                // Windows in which nothing happened are not counted.
                self.until = now + WINDOW;
            }
        }
    }

    /// Does not await the end of a wait that is bad enough already, when many wait; once in a window.
    fn judge_unfinished(&mut self, now: Duration) {
        let Some(since) = self.waits_since else { return };
        let wait = now.saturating_sub(since);
        if wait > WINDOW && now.saturating_sub(self.arrived.1) >= WINDOW && self.waiting(now, wait) >= MANY {
            self.shortest = Some(wait);
            self.close(now);
        }
    }

    /// How many came while one waited for so long.
    fn waiting(&self, now: Duration, wait: Duration) -> f64 {
        let (arrived, since) = self.arrived;
        let meanwhile = now.saturating_sub(since).max(wait).as_secs_f64();
        f64::from(arrived) * wait.as_secs_f64() / meanwhile.max(f64::MIN_POSITIVE)
    }

    fn close(&mut self, now: Duration) {
        self.until = now + WINDOW;
        self.admitted = [0; 3];
        // Who waits now may wait for long: the next window that knows a wait tells.
        let Some(shortest) = self.shortest.take() else { return };
        let waiting = self.waiting(now, shortest);
        self.arrived = (0, now);
        self.share = if shortest <= self.target || waiting < MANY {
            (self.share + GROWTH).min(1.0)
        } else if shortest > self.target * EMERGENCY {
            LEAST
        } else {
            let off = self.target.as_secs_f64() / shortest.as_secs_f64();
            (self.share * off.clamp(DEEPEST, 0.9)).max(LEAST)
        };
    }
}

#[cfg(test)]
mod tests;
