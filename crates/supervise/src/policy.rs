//! When a process that ended is started again: a pure function from what is known of its past lives to a delay and
//! a reason that people can read.
//!
//! There is no decision "never": a crash loop decays to one try per `Backoff::cap` and stays there until a life is
//! healthy, whatever the number of failures. Delays are distances between starts, so that a process which lived
//! longer than its backoff is replaced at once.

use std::time::Duration;

/// How quickly repeated ends slow the restarts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Failures in a row that are answered by a restart at once.
    pub at_once: u32,
    /// The smallest distance between two starts after that; doubled by every further failure.
    pub base: Duration,
    /// The largest distance between two starts.
    pub cap: Duration,
    /// A life that was ready for this long ends the series of failures before it.
    pub healthy_after: Duration,
}

impl Backoff {
    /// For the parts of `NodePanel` itself: first restart at once, then 100 ms doubling to 5 s, healthy after 2 s.
    pub const OWN_PARTS: Self = Self {
        at_once: 1,
        base: Duration::from_millis(100),
        cap: Duration::from_secs(5),
        healthy_after: Duration::from_secs(2),
    };
}

/// One life of a process that ended without being asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// From its start to its end; zero when it could not even be started.
    pub ran_for: Duration,
    /// From the instant it said that it was ready to its end; `None` when it never did.
    pub ready_for: Option<Duration>,
}

/// What to do about the last end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How long to wait before the next start.
    pub delay: Duration,
    /// The ends in a row, this one included, that no healthy life separates.
    pub failures: u32,
    /// The decision in words, fit to follow how the process ended: "starting it again at once".
    pub reason: String,
}

/// Decides about the end of the last of `lives` (oldest first). An empty past is answered by a start at once.
pub fn decide(backoff: &Backoff, lives: &[Life]) -> Decision {
    let healthy = |life: &Life| life.ready_for.is_some_and(|ready| ready >= backoff.healthy_after);
    let failed = lives.iter().rev().take_while(|life| !healthy(life)).count();
    let failures = u32::try_from(failed).unwrap_or(u32::MAX);
    let distance = match failures.checked_sub(backoff.at_once.saturating_add(1)) {
        None => Duration::ZERO,
        Some(doublings) => {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            backoff.base.saturating_mul(factor).min(backoff.cap)
        }
    };
    let delay = distance.saturating_sub(lives.last().map_or(Duration::ZERO, |life| life.ran_for));
    let reason = match (delay.is_zero(), failures) {
        (true, _) => "starting it again at once".to_owned(),
        (false, failures) => format!(
            "it ended {failures} times in a row before it had been ready for {}; next start in {}",
            in_words(backoff.healthy_after),
            in_words(delay)
        ),
    };
    Decision { delay, failures, reason }
}

/// A duration as people say it: `340 ms`, `2.5 s`, `12 s`.
pub(crate) fn in_words(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..=999 => format!("{millis} ms"),
        millis if millis < 10_000 && millis % 1000 >= 50 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{:.0} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Backoff = Backoff::OWN_PARTS;

    fn life() -> impl Strategy<Value = Life> {
        (0_u64..20_000, proptest::option::of(0_u64..20_000)).prop_map(|(ran, ready)| Life {
            ran_for: Duration::from_millis(ran),
            ready_for: ready.map(|ready| Duration::from_millis(ready.min(ran))),
        })
    }

    const CRASH: Life = Life { ran_for: Duration::ZERO, ready_for: None };

    #[test]
    fn the_first_failure_is_answered_at_once_and_a_loop_decays_to_the_cap() {
        let delays: Vec<u128> =
            (1..=9).map(|failures| decide(&OWN, &vec![CRASH; failures]).delay.as_millis()).collect();
        assert_eq!(delays, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(decide(&OWN, &vec![CRASH; 100_000]).delay, OWN.cap);
    }

    #[test]
    fn the_reason_says_what_happened_and_when_it_goes_on() {
        assert_eq!(decide(&OWN, &[CRASH]).reason, "starting it again at once");
        assert_eq!(
            decide(&OWN, &[CRASH; 3]).reason,
            "it ended 3 times in a row before it had been ready for 2 s; next start in 200 ms"
        );
    }

    proptest! {
        #[test]
        fn never_waits_longer_than_the_cap(lives in proptest::collection::vec(life(), 0..64)) {
            prop_assert!(decide(&OWN, &lives).delay <= OWN.cap);
        }

        #[test]
        fn a_healthy_life_is_always_followed_at_once(lives in proptest::collection::vec(life(), 0..64), extra in 0_u64..9_000) {
            let ready = OWN.healthy_after + Duration::from_millis(extra);
            let mut lives = lives;
            lives.push(Life { ran_for: ready, ready_for: Some(ready) });
            let decision = decide(&OWN, &lives);
            prop_assert_eq!((decision.delay, decision.failures), (Duration::ZERO, 0));
            lives.push(CRASH);
            prop_assert_eq!(decide(&OWN, &lives).delay, Duration::ZERO);
        }

        #[test]
        fn one_more_crash_never_shortens_the_wait(lives in proptest::collection::vec(life(), 0..64)) {
            let mut more = lives.clone();
            more.push(CRASH);
            prop_assert!(decide(&OWN, &more).delay >= decide(&OWN, &lives).delay);
        }

        #[test]
        fn starts_are_never_closer_than_the_backoff(ran in 0_u64..6_000, crashes in 2_usize..20) {
            let ran_for = Duration::from_millis(ran);
            let lives = vec![Life { ran_for, ready_for: None }; crashes];
            let expected = decide(&OWN, &vec![CRASH; crashes]).delay;
            prop_assert!(decide(&OWN, &lives).delay + ran_for >= expected);
        }
    }
}
