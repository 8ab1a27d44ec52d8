//! When the machine's clock is set to another time: every deadline moves with it, so that what was to happen in ten
//! seconds still happens in ten seconds.

use nodepanel_types::{Millis, Timestamp};

use super::Progress;

/// Differences below this are drift and the time that a look takes.
const LEAST_MS: Millis = 500;

/// By how much the clock was set, in milliseconds, when it showed `before` and shows `now` after `passed`; `None` when
/// it was not.
pub fn clock_set_by(before: Timestamp, passed: Millis, now: Timestamp) -> Option<i64> {
    let by = now.as_millis().saturating_sub(before.plus(passed).as_millis());
    (by.unsigned_abs() >= LEAST_MS).then_some(by)
}

/// An instant on a clock that was set by so many milliseconds.
pub fn moved(at: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().saturating_add(by))
}

/// Moves the deadlines. What lies in the past stays as it was written down.
pub fn clock_set(progress: &mut Progress, by: i64) {
    let stop = progress.run.as_mut().and_then(|run| run.stop.as_mut());
    let (kill_at, killed_at) = stop.map(|stop| (&mut stop.kill_at, stop.killed_at.as_mut())).unzip();
    let deadlines = [
        kill_at,
        killed_at.flatten(),
        progress.crashes.restart_at.as_mut(),
        progress.install.current.as_mut().and_then(|job| job.not_before.as_mut()),
    ];
    for at in deadlines.into_iter().flatten() {
        *at = moved(*at, by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{RunRecord, StopSent};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn drift_is_no_setting() {
        assert_eq!(clock_set_by(at(10_000), 1_000, at(11_000)), None);
        assert_eq!(clock_set_by(at(10_000), 1_000, at(11_499)), None);
        assert_eq!(clock_set_by(at(10_000), 1_000, at(41_000)), Some(30_000));
        assert_eq!(clock_set_by(at(40_000), 1_000, at(11_000)), Some(-30_000));
    }

    #[test]
    fn deadlines_move_and_the_past_stays() {
        let mut progress = Progress::default();
        progress.crashes.restart_at = Some(at(50_000));
        let stop = Some(StopSent { kill_at: at(60_000), killed_at: None });
        progress.run = Some(RunRecord { number: 1, begun_at: at(1_000), boot: "b".to_owned(), stop });
        clock_set(&mut progress, -30_000);
        let run = progress.run.unwrap();
        assert_eq!(progress.crashes.restart_at, Some(at(20_000)));
        assert_eq!((run.begun_at, run.stop.unwrap().kill_at), (at(1_000), at(30_000)));
    }
}
