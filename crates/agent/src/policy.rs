//! How a crash is answered: a pure function from what happened before to a delay and a reason.
//!
//! It never ends in "given up": delays double from `first_delay_ms` to `max_delay_ms` and stay there. A run that was
//! healthy for `healthy_after_ms` forgets the crashes before it, and its own end is answered at once: players should not
//! wait for the one crash in a month.

use nodepanel_types::{
    Millis, Timestamp,
    state::{CrashPolicy, Exit},
};
use serde::{Deserialize, Serialize};

/// From this many crashes in a row on, a server is said to be in a crash loop.
pub const LOOPING_FROM: u32 = 3;
/// The shortest delay from the second crash in a row on, whatever the policy says: a loop must not eat the machine.
const SHORTEST_REPEAT_MS: Millis = 100;

/// A healthy run of this length ends in a start at once; shorter ones that a policy calls healthy could be a loop.
const AT_ONCE_AFTER_MS: Millis = 10_000;

/// The crashes of a server since it was last healthy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CrashHistory {
    /// Crashes without a healthy run between them.
    pub in_a_row: u32,
    /// How the last one ended.
    pub last: Option<Exit>,
    /// When the server is started again, while it waits for that.
    pub restart_at: Option<Timestamp>,
}

impl CrashHistory {
    /// Whether the server is in a crash loop.
    pub const fn is_looping(&self) -> bool {
        self.in_a_row >= LOOPING_FROM
    }
}

/// What a crash leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The history with this crash in it; its `restart_at` is set.
    pub history: CrashHistory,
    /// How long the server waits, in milliseconds.
    pub delay_ms: Millis,
    /// What happened and what follows, as a sentence for the server's owner.
    pub reason: String,
    /// Only what follows, for the console, where the end was told already.
    pub follows: String,
}

/// The answer to a run that ended with `exit` at `now` after `ran_for` milliseconds, unasked-for.
pub fn answer(history: &CrashHistory, policy: &CrashPolicy, exit: &Exit, ran_for: Millis, now: Timestamp) -> Verdict {
    let healthy = ran_for >= policy.healthy_after_ms;
    let in_a_row = if healthy { 1 } else { history.in_a_row.saturating_add(1) };
    let delay_ms = if healthy && ran_for >= AT_ONCE_AFTER_MS { 0 } else { delay(policy, in_a_row, exit) };
    let again = if delay_ms == 0 {
        "It is started again at once".to_owned()
    } else {
        format!("It is started again in {}", duration(delay_ms))
    };
    let (reason, follows) = if in_a_row >= LOOPING_FROM {
        let reason = format!(
            "The server {}, {in_a_row} times in a row now. {again}; look at the end of its console for the cause.",
            exit.describe()
        );
        (reason, format!("{again}, after {in_a_row} crashes in a row."))
    } else {
        (format!("The server {}. {again}.", exit.describe()), format!("{again}."))
    };
    let history = CrashHistory { in_a_row, last: Some(exit.clone()), restart_at: Some(now.plus(delay_ms)) };
    Verdict { history, delay_ms, reason, follows }
}

/// The longest that a server waits after its last crash. A deadline that lies further ahead is one of another clock.
pub fn longest(history: &CrashHistory, policy: &CrashPolicy) -> Millis {
    delay(policy, history.in_a_row, history.last.as_ref().unwrap_or(&Exit::Unknown))
}

fn delay(policy: &CrashPolicy, in_a_row: u32, exit: &Exit) -> Millis {
    if *exit == Exit::KeeperLost && in_a_row == 1 {
        // Not the game's fault: its players should not wait for it.
        return 0;
    }
    let doublings = in_a_row.saturating_sub(1).min(40);
    let grown = policy.first_delay_ms.saturating_mul(1_u64 << doublings);
    let capped = grown.min(policy.max_delay_ms.max(policy.first_delay_ms));
    if in_a_row == 1 { capped } else { capped.max(SHORTEST_REPEAT_MS) }
}

/// A duration as people say it: "250 ms", "8 s", "5 min".
pub fn duration(millis: Millis) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..120_000 if millis.is_multiple_of(1_000) => format!("{} s", millis / 1_000),
        1_000..120_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min", millis.div_ceil(60_000)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: CrashPolicy = CrashPolicy { first_delay_ms: 1_000, max_delay_ms: 60_000, healthy_after_ms: 30_000 };
    const CODE_1: Exit = Exit::Code { code: 1 };

    fn crash(history: &CrashHistory, ran_for: Millis) -> Verdict {
        answer(history, &POLICY, &CODE_1, ran_for, Timestamp::EPOCH)
    }

    #[test]
    fn delays_double_to_the_cap_and_stay_there() {
        let mut history = CrashHistory::default();
        let mut delays = Vec::new();
        for _ in 0..9 {
            let verdict = crash(&history, 10);
            delays.push(verdict.delay_ms / 1_000);
            history = verdict.history;
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn the_third_crash_in_a_row_is_a_loop_and_a_healthy_run_forgets_it() {
        let mut history = CrashHistory::default();
        for expected in [false, false, true, true] {
            history = crash(&history, 10).history;
            assert_eq!(history.is_looping(), expected);
        }
        let verdict = crash(&history, 30_000);
        assert_eq!((verdict.history.in_a_row, verdict.delay_ms), (1, 0));
        assert!(verdict.reason.ends_with("It is started again at once."), "{}", verdict.reason);
        assert_eq!(crash(&verdict.history, 10).delay_ms, 2_000);
    }

    #[test]
    fn runs_that_are_called_healthy_too_soon_are_no_reason_to_hurry() {
        let hasty = CrashPolicy { healthy_after_ms: 0, ..POLICY };
        let mut history = CrashHistory::default();
        for _ in 0..5 {
            let verdict = answer(&history, &hasty, &CODE_1, 50, Timestamp::EPOCH);
            assert_eq!(verdict.delay_ms, 1_000);
            history = verdict.history;
        }
    }

    #[test]
    fn a_lost_keeper_is_answered_at_once_but_not_for_ever() {
        let first = answer(&CrashHistory::default(), &POLICY, &Exit::KeeperLost, 10, Timestamp::EPOCH);
        assert_eq!(first.delay_ms, 0);
        assert!(first.reason.contains("at once"), "{}", first.reason);
        let second = answer(&first.history, &POLICY, &Exit::KeeperLost, 10, Timestamp::EPOCH);
        assert_eq!(second.delay_ms, 2_000);
    }

    #[test]
    fn no_verdict_waits_longer_than_the_longest_for_it() {
        let mut history = CrashHistory::default();
        for exit in [Exit::KeeperLost, CODE_1, CODE_1, CODE_1] {
            let verdict = answer(&history, &POLICY, &exit, 10, Timestamp::EPOCH);
            assert_eq!(verdict.delay_ms, longest(&verdict.history, &POLICY));
            history = verdict.history;
        }
    }

    #[test]
    fn durations_read_well() {
        let said: Vec<_> = [0, 250, 1_000, 1_500, 90_000, 120_000, 300_000].into_iter().map(duration).collect();
        assert_eq!(said, ["0 ms", "250 ms", "1 s", "1.5 s", "90 s", "2 min", "5 min"]);
    }

    proptest! {
        #[test]
        fn it_never_gives_up_and_never_waits_longer_than_the_policy(
            crashes in 0_u32..u32::MAX, first in 0_u64..10_000, max in 0_u64..1_000_000,
            healthy in 0_u64..100_000, ran in 0_u64..200_000,
        ) {
            let policy = CrashPolicy { first_delay_ms: first, max_delay_ms: max, healthy_after_ms: healthy };
            let history = CrashHistory { in_a_row: crashes, last: None, restart_at: None };
            let verdict = answer(&history, &policy, &CODE_1, ran, Timestamp::EPOCH);
            prop_assert!(verdict.delay_ms <= max.max(first).max(SHORTEST_REPEAT_MS));
            prop_assert!(verdict.history.in_a_row >= 1);
            prop_assert_eq!(verdict.history.restart_at, Some(Timestamp::EPOCH.plus(verdict.delay_ms)));
        }
    }
}
