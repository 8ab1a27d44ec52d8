//! How much of what comes is let in: a pure controller. Instants and measured waits go in, decisions come out.
//!
//! ```text
//!            shortest wait of a window > target
//!   open ───────────────────────────────────────▶ throttled ──┐ again: the share shrinks by how far the wait is off,
//!    ▲                                               │   ▲    │ to a third at most
//!    └── share back at 1, a little a window ─────────┘   └────┘
//!        with a short wait in it; a window in which nobody was seen to wait changes nothing
//! ```
//!
//! Invariants: nothing is refused while waits are short; the first so many requests of every window are let in whatever
//! the waits; of a higher rank never a smaller share is let in; once waits are short again everything is let in within
//! `1 / GROWTH` windows.

use std::time::Duration;

use super::Rank;

/// How long waits are watched before something follows from them. Stalls of 4 to 20 ms are normal on a shared machine;
/// a whole window without a single short wait is a queue.
pub const WINDOW: Duration = Duration::from_millis(50);
/// What the share grows by in a window without a queue: from almost nothing to all of it in 1.7 s.
const GROWTH: f64 = 0.03;
/// The most that it shrinks by in one window.
const DEEPEST: f64 = 0.33;
/// The smallest share; it must be able to grow.
const LEAST: f64 = 0.01;
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
    /// What was let in during it.
    admitted: [u32; 3],
    /// What is left over from rounding, for each rank.
    credit: [f64; 3],
}

impl Valve {
    /// One that is open.
    pub const fn new(target: Duration) -> Self {
        Self { target, share: 1.0, until: WINDOW, shortest: None, admitted: [0; 3], credit: [0.0; 3] }
    }

    /// Whether everything is let in.
    pub fn is_open(&self) -> bool {
        self.share >= 1.0
    }

    /// How much of the ordinary is let in, 0 to 1.
    pub const fn share(&self) -> f64 {
        self.share
    }

    /// Opens it: nobody watches any more, because there is nothing to see.
    pub const fn open(&mut self) {
        self.share = 1.0;
    }

    /// Takes in how long somebody waited. A wait that is longer than a window closes it: nobody waited less meanwhile.
    pub fn waited(&mut self, now: Duration, wait: Duration) {
        self.roll(now);
        self.shortest = Some(self.shortest.map_or(wait, |shortest| shortest.min(wait)));
        if wait > WINDOW {
            self.close(now);
        }
    }

    /// Whether a request is let in.
    pub fn admit(&mut self, now: Duration, rank: Rank) -> bool {
        self.roll(now);
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
        while now >= self.until {
            let until = self.until;
            self.close(until);
            // A long silence is no reason to count windows.
            if self.is_open() && now > self.until {
                self.until = now + WINDOW;
            }
        }
    }

    fn close(&mut self, now: Duration) {
        self.share = match self.shortest.take() {
            Some(shortest) if shortest > self.target => {
                let off = self.target.as_secs_f64() / shortest.as_secs_f64();
                (self.share * off.clamp(DEEPEST, 0.9)).max(LEAST)
            }
            Some(_) => (self.share + GROWTH).min(1.0),
            // Whoever waits now may wait for long: that is known when it is over.
            None => self.share,
        };
        self.until = now + WINDOW;
        self.admitted = [0; 3];
    }
}

#[cfg(test)]
mod tests;
