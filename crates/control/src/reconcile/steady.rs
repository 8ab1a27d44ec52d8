//! The time by which things are collected: the wall clock, but no faster than time passes.
//!
//! A clock that is set forward by a day must not take away the answers by which repetitions are known, or revive a
//! session whose revocation seemed to be over. A leap forward is believed only when it has stood for [`BELIEVED_AFTER`].
//! Invariant: between two looks the result never advances further than the time between them, except at that moment.

use std::time::Duration;

use nodepanel_types::{Millis, Timestamp, limits::IDEMPOTENCY_TTL_MS};
use tokio::time::Instant;

/// How long a leap must have stood. Things that are kept for a time are then kept for twice that at most.
const BELIEVED_AFTER: Duration = Duration::from_millis(IDEMPOTENCY_TTL_MS);
/// Clocks are corrected by less than this all the time.
const LEAP: Millis = 1_000;

/// The wall clock, steadied.
#[derive(Debug, Clone)]
pub struct Steady {
    last: (Timestamp, Instant),
    /// By how much the wall clock is further than the time that passed.
    ahead: Millis,
    /// When it last leapt.
    leapt: Instant,
}

impl Steady {
    /// Begins with a clock that is believed.
    pub const fn new(wall: Timestamp, now: Instant) -> Self {
        Self { last: (wall, now), ahead: 0, leapt: now }
    }

    /// The time to collect by, when the wall clock says `wall`.
    pub fn look(&mut self, wall: Timestamp, now: Instant) -> Timestamp {
        let passed = Millis::try_from(now.saturating_duration_since(self.last.1).as_millis()).unwrap_or(Millis::MAX);
        let expected = self.last.0.plus(passed);
        let (leap, lag) = (wall.since(expected), expected.since(wall));
        self.last = (wall, now);
        self.ahead = self.ahead.saturating_add(leap).saturating_sub(lag);
        if leap >= LEAP {
            self.leapt = now;
        }
        if now.saturating_duration_since(self.leapt) >= BELIEVED_AFTER {
            self.ahead = 0;
        }
        Timestamp::from_millis(wall.as_millis().saturating_sub_unsigned(self.ahead))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;
    const BEGIN: Timestamp = Timestamp::from_millis(1_000 * HOUR);

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(BEGIN.as_millis() + hours * HOUR)
    }

    #[test]
    fn a_leap_forward_is_believed_after_a_day_and_one_that_is_taken_back_never() {
        let start = Instant::now();
        let after = |hours: u64| start + Duration::from_secs(hours * 3_600);
        let mut steady = Steady::new(BEGIN, start);
        assert_eq!(steady.look(at(1), after(1)), at(1));
        // Set forward by two days.
        assert_eq!(steady.look(at(50), after(2)), at(2));
        assert_eq!(steady.look(at(73), after(25)), at(25));
        assert_eq!(steady.look(at(74), after(26)), at(74));
        // And by another, which is taken back.
        assert_eq!(steady.look(at(99), after(27)), at(75));
        assert_eq!(steady.look(at(76), after(28)), at(76));
        // A clock that is set back is followed: things are kept longer.
        assert_eq!(steady.look(at(10), after(29)), at(10));
        assert_eq!(steady.look(at(11), after(30)), at(11));
    }

    proptest! {
        #[test]
        fn no_time_passes_that_has_not_passed(steps in prop::collection::vec((0u64..600_000, -100_000_000i64..100_000_000), 1..60)) {
            let (mut wall, mut now) = (BEGIN, Instant::now());
            let mut steady = Steady::new(wall, now);
            let mut latest = BEGIN;
            for (passed, leap) in steps {
                now += Duration::from_millis(passed);
                wall = Timestamp::from_millis(wall.as_millis() + i64::try_from(passed).unwrap() + leap);
                let told = steady.look(wall, now);
                prop_assert!(told <= wall && told <= latest.plus(passed), "{told} after {latest} and {passed} ms");
                latest = told;
            }
        }
    }
}
