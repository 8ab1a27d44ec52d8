//! The controller against a queue: one server that takes requests in the order of their arrival, as an event loop does,
//! and learns only when it comes to a request whether it is let in.

use proptest::prelude::*;

use super::*;

const TARGET: Duration = Duration::from_millis(25);
const RANKS: [Rank; 3] = [Rank::Vital, Rank::Ordinary, Rank::Bulk];

/// Requests that arrive, per second, and what they cost.
#[derive(Debug, Clone, Copy)]
struct Storm {
    /// What the work on one costs.
    work: Duration,
    /// Arrivals, as a multiple of what can be worked on.
    times: f64,
    /// What a refusal costs.
    refusal: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
struct Outcome {
    /// From arrival to answer, of what was let in.
    took: Vec<Duration>,
    admitted: [u32; 3],
    arrived: [u32; 3],
}

/// Lets requests arrive for `lasts`; the ranks take turns.
fn run(valve: &mut Valve, begin: Duration, lasts: Duration, storm: Storm) -> (Duration, Outcome) {
    let gap = storm.work.div_f64(storm.times);
    let (mut free_at, mut arrival) = (begin, begin);
    let (mut probe_at, mut outcome) = (begin, Outcome::default());
    for rank in RANKS.into_iter().cycle() {
        if arrival >= begin + lasts {
            return (free_at.max(arrival), outcome);
        }
        // The probe waits in the same queue: it is late by what stands before it.
        while probe_at <= arrival {
            let late = free_at.saturating_sub(probe_at);
            valve.all_waited(probe_at + late, late);
            probe_at += late + Duration::from_millis(5);
            valve.all_wait(probe_at);
        }
        let start = free_at.max(arrival);
        let admitted = valve.admit(start, rank);
        free_at = start + if admitted { storm.work } else { storm.refusal };
        outcome.arrived[rank.index()] += 1;
        if admitted {
            outcome.admitted[rank.index()] += 1;
            outcome.took.push(free_at.saturating_sub(arrival));
        }
        arrival += gap;
    }
    unreachable!("the ranks go round for ever")
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[(took.len() - 1) * 99 / 100]
}

fn work() -> impl Strategy<Value = Duration> {
    (100u64..1_500).prop_map(Duration::from_micros)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_refused_while_there_is_no_queue(work in work(), times in 0.05..0.9f64) {
        let mut valve = Valve::new(TARGET);
        let storm = Storm { work, times, refusal: work / 20 };
        let (_, outcome) = run(&mut valve, Duration::ZERO, Duration::from_secs(5), storm);
        prop_assert_eq!(outcome.admitted, outcome.arrived);
    }

    #[test]
    fn in_a_storm_what_is_let_in_is_answered_in_time_and_much_is(work in work(), times in 2.0..8.0f64) {
        let mut valve = Valve::new(TARGET);
        let storm = Storm { work, times, refusal: work / 20 };
        let (over, outcome) = run(&mut valve, Duration::ZERO, Duration::from_secs(8), storm);
        let slowest = p99(outcome.took.clone());
        prop_assert!(slowest < Duration::from_millis(500), "p99 {:?}", slowest);
        // What refusals cost cannot be worked on.
        let left = 1.0 - times / 20.0;
        let done = work.mul_f64(f64::from(u32::try_from(outcome.took.len()).unwrap())).as_secs_f64() / 8.0;
        prop_assert!(done > left * 0.5, "{done} of {left} was used");
        let [vital, ordinary, bulk] = outcome.admitted;
        prop_assert!(vital >= ordinary && ordinary >= bulk, "{:?}", outcome.admitted);
        // And then it ends.
        let calm = Storm { times: 0.5, ..storm };
        let (later, _) = run(&mut valve, over, Duration::from_secs(4), calm);
        let (_, outcome) = run(&mut valve, later, Duration::from_secs(1), calm);
        prop_assert_eq!(outcome.admitted, outcome.arrived);
        prop_assert!(valve.share() >= 1.0);
    }

    #[test]
    fn few_clients_are_never_refused_however_slow_the_machine_is(waits in prop::collection::vec(25u64..2_000, 1..200)) {
        let mut valve = Valve::new(TARGET);
        let mut now = Duration::ZERO;
        for wait in waits {
            valve.all_wait(now);
            // Each of thirty clients asks again when it was answered, somewhen during the wait.
            for _ in 0..30 {
                now += Duration::from_millis(wait) / 30;
                prop_assert!(valve.admit(now, Rank::Bulk), "{:?}", valve);
            }
            valve.all_waited(now, Duration::from_millis(wait));
        }
    }

    #[test]
    fn a_little_is_always_let_in_however_long_the_waits(waits in prop::collection::vec(25u64..5_000, 1..200)) {
        let mut valve = Valve::new(TARGET);
        let mut now = Duration::ZERO;
        for wait in waits {
            now += Duration::from_millis(wait);
            for _ in 0..64 {
                valve.admit(now, Rank::Bulk);
            }
            valve.all_waited(now, Duration::from_millis(wait));
            now += WINDOW;
            for rank in RANKS {
                prop_assert!(valve.admit(now, rank), "{:?} at {:?}", rank, valve);
            }
            prop_assert!(valve.share() >= LEAST && valve.share() <= 1.0);
        }
    }
}
