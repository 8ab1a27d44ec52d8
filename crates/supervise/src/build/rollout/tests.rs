//! The invariants of a move, whatever the workers do.

use proptest::prelude::*;

use super::*;

const PATIENCE: Patience =
    Patience { ready: Duration::from_secs(1), settle: Duration::from_millis(100), proof: Duration::from_secs(2) };

/// Plays the supervisor and the workers.
struct World {
    rollout: Rollout,
    now: Instant,
    on: Vec<Target>,
    /// When each is ready again.
    ready_at: Vec<Instant>,
    steps: Vec<Step>,
    /// How long a replacement takes with the candidate; `None`: never ready.
    start: Vec<Option<u64>>,
}

impl World {
    fn new(start: Vec<Option<u64>>) -> Self {
        let now = Instant::now();
        let workers = start.len();
        let rollout = Rollout::new(PATIENCE, (0..workers).collect(), true);
        Self { rollout, now, on: vec![Target::Good; workers], ready_at: vec![now; workers], steps: Vec::new(), start }
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            if let Step::Replace(worker, target) = step {
                let late = self.now + PATIENCE.ready;
                let others = (0..self.on.len()).filter(|other| *other != worker);
                for other in others {
                    // On the way forward the others always serve.
                    assert!(target == Target::Good || self.ready_at[other] + PATIENCE.settle <= late);
                    assert!(target == Target::Good || self.ready_at[other] <= self.now, "two are away at once");
                }
                self.on[worker] = target;
                let takes = if target == Target::Good { Some(50) } else { self.start[worker] };
                let takes = takes.map_or(Duration::from_secs(3_600), Duration::from_millis);
                self.ready_at[worker] = self.now + takes;
            }
            self.steps.push(step);
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            for worker in 0..self.on.len() {
                self.rollout.seen(worker, self.ready_at[worker] <= self.now, self.now);
            }
            let steps = self.rollout.expire(self.now, |worker| format!("worker {worker}"));
            self.take(steps);
            self.now += Duration::from_millis(10);
        }
    }

    fn all_on(&self, target: Target) -> bool {
        self.on.iter().all(|on| *on == target)
    }
}

proptest! {
    #[test]
    fn a_build_whose_workers_get_ready_is_proven(start in proptest::collection::vec(0_u64..900, 1..6)) {
        let mut world = World::new(start.into_iter().map(Some).collect());
        let steps = world.rollout.begin(world.now);
        world.take(steps);
        world.run(Duration::from_secs(20));
        prop_assert_eq!(world.rollout.stage(), &Stage::Settled);
        prop_assert_eq!(world.steps.last(), Some(&Step::Proven));
        prop_assert!(world.all_on(Target::Candidate));
    }

    #[test]
    fn after_a_failure_at_any_moment_all_are_on_the_good_build(
        start in proptest::collection::vec(0_u64..900, 1..6), moment in 0_u64..9_000
    ) {
        let mut world = World::new(start.into_iter().map(Some).collect());
        let steps = world.rollout.begin(world.now);
        world.take(steps);
        world.run(Duration::from_millis(moment));
        let on_probation = world.rollout.is_on_probation();
        let steps = world.rollout.failed(0, "exited with code 1", world.now);
        // Whoever failed is the first to be replaced.
        prop_assert!(!on_probation || steps.contains(&Step::Replace(0, Target::Good)));
        world.take(steps);
        world.run(Duration::from_secs(20));
        prop_assert_eq!(world.rollout.stage(), &Stage::Settled);
        let end = if on_probation { Step::Returned } else { Step::Proven };
        prop_assert_eq!(world.steps.last(), Some(&end));
        let build = if on_probation { Target::Good } else { Target::Candidate };
        prop_assert!(world.all_on(build));
    }

    #[test]
    fn a_worker_that_is_never_ready_sends_all_back(workers in 1_usize..6, bad in 0_usize..6) {
        let mut start = vec![Some(20); workers];
        let bad = bad % workers;
        start[bad] = None;
        let mut world = World::new(start);
        let steps = world.rollout.begin(world.now);
        world.take(steps);
        world.run(Duration::from_secs(30));
        prop_assert!(world.all_on(Target::Good));
        let refused = Step::Refused(format!("worker {bad} was not ready in time with it"));
        prop_assert!(world.steps.contains(&refused), "{:?}", world.steps);
        prop_assert_eq!(world.rollout.stage(), &Stage::Settled);
        // Those after it never left the good build.
        for worker in bad + 1..workers {
            prop_assert!(!world.steps.contains(&Step::Replace(worker, Target::Candidate)));
        }
    }
}

#[test]
fn without_a_good_build_a_failing_one_is_given_time() {
    let now = Instant::now();
    let mut rollout = Rollout::new(PATIENCE, vec![0], false);
    rollout.prove(now);
    assert_eq!(rollout.failed(0, "exited with code 1", now), []);
    let later = now + PATIENCE.ready;
    assert_eq!(rollout.expire(later, |_| String::new()), []);
    rollout.seen(0, true, later);
    assert_eq!(rollout.expire(later + PATIENCE.proof, |_| String::new()), [Step::Proven]);
}
