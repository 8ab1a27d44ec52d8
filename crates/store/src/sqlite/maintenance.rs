//! How far history is compacted: a pure account of which revision was current when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::Revision;

/// Samples of the revision over time, and the limits of history.
///
/// After a start nothing is known about the age of what is there, so it counts as new: history is then kept
/// longer, never shorter.
pub(super) struct Retention {
    age: Duration,
    revisions: u64,
    samples: VecDeque<(Instant, Revision)>,
}

impl Retention {
    pub(super) fn new(age: Duration, revisions: u64) -> Self {
        Self { age, revisions, samples: VecDeque::new() }
    }

    /// Notes that `current` is the revision `now`, and tells up to which revision history may go.
    pub(super) fn observe(&mut self, now: Instant, current: Revision) -> Revision {
        let spacing = self.age / 10;
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= spacing) {
            self.samples.push_back((now, current));
        }
        let mut old = Revision::ZERO;
        while let Some((at, revision)) = self.samples.front()
            && now.duration_since(*at) >= self.age
        {
            old = *revision;
            // The newest sample that is old enough stays, or the target would fall back to nothing.
            if self.samples.get(1).is_none_or(|(at, _)| now.duration_since(*at) < self.age) {
                break;
            }
            self.samples.pop_front();
        }
        old.max(Revision(current.0.saturating_sub(self.revisions)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_goes_by_age_and_by_count() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut retention = Retention::new(Duration::from_secs(100), 1_000);
        assert_eq!(retention.observe(at(0), Revision(10)), Revision(0));
        assert_eq!(retention.observe(at(50), Revision(20)), Revision(0));
        assert_eq!(retention.observe(at(101), Revision(30)), Revision(10));
        assert_eq!(retention.observe(at(102), Revision(30)), Revision(10));
        assert_eq!(retention.observe(at(155), Revision(40)), Revision(20));
        assert_eq!(retention.observe(at(156), Revision(5_000)), Revision(4_000));
        assert_eq!(retention.observe(at(900), Revision(5_000)), Revision(4_000));
        assert_eq!(retention.observe(at(1_001), Revision(5_000)), Revision(5_000));
        assert!(retention.samples.len() <= 12);
    }
}
