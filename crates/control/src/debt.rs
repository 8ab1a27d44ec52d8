//! How much somebody may ask for at once and over time, remembered as one instant.

use std::time::Duration;

use nodepanel_types::Timestamp;

/// So many at once, and one more every so often.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// How many at once.
    pub burst: u64,
    /// After how many milliseconds one of them is forgiven.
    pub refill_ms: u64,
}

/// What still counts, as the instant at which all of it is forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Debt(pub Timestamp);

impl Debt {
    /// What is owed, in milliseconds; never more than two bursts, so that a clock that is set back locks nobody out for
    /// long. More than one comes together when several count.
    pub fn owed(self, now: Timestamp, rate: Rate) -> u64 {
        self.0.since(now).min(2 * rate.burst * rate.refill_ms)
    }

    /// When one more is allowed, if not now.
    pub fn wait(self, now: Timestamp, rate: Rate) -> Option<Duration> {
        let over = (self.owed(now, rate) + rate.refill_ms).saturating_sub(rate.burst * rate.refill_ms);
        (over > 0).then(|| Duration::from_millis(over))
    }

    /// Counts one.
    pub fn add(&mut self, now: Timestamp, rate: Rate) {
        self.0 = now.plus(self.owed(now, rate) + rate.refill_ms);
    }

    /// Takes one back.
    pub fn take_back(&mut self, now: Timestamp, rate: Rate) {
        self.0 = now.plus(self.owed(now, rate).saturating_sub(rate.refill_ms));
    }
}
