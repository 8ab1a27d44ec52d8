//! The invariants of one worker's life, under any sequence of inputs and delays.

use proptest::prelude::*;

use super::*;

fn timing() -> Timing {
    Timing { alive: Some(Duration::from_millis(700)), ..Timing::default() }
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => Just(Input::Ended(Ending::Killed { signal: 9 })),
        4 => Just(Input::Ready),
        4 => Just(Input::Connected),
        4 => Just(Input::Alive),
        1 => Just(Input::NotReady("no store".to_owned())),
        1 => Just(Input::StartFailed("no such file".to_owned())),
        1 => Just(Input::Restart),
    ]
}

/// Plays the supervisor: carries the actions out in a world where SIGKILL always works and starting may fail.
struct World {
    life: Lifecycle,
    now: Instant,
    processes: usize,
    recovered: usize,
}

impl World {
    fn new() -> Self {
        let mut world =
            Self { life: Lifecycle::new(timing(), Past::default()), now: Instant::now(), processes: 0, recovered: 0 };
        world.give(Input::Start);
        world
    }

    fn give(&mut self, input: Input) {
        // The world does not tell of the end of a process that does not exist, nor fail to start one that runs.
        match input {
            Input::Ended(_) if self.processes == 0 => return,
            Input::Ended(_) => self.processes -= 1,
            Input::StartFailed(_) => return,
            _ => {}
        }
        let actions = self.life.step(self.now, input);
        self.carry_out(actions, false);
    }

    fn carry_out(&mut self, actions: Vec<Action>, fail: bool) {
        for action in actions {
            match action {
                Action::Start if fail => {
                    let actions = self.life.step(self.now, Input::StartFailed("no such file".to_owned()));
                    self.carry_out(actions, false);
                }
                Action::Start => {
                    self.processes += 1;
                    assert_eq!(self.processes, 1, "two processes of one worker");
                }
                Action::Kill => self.give(Input::Ended(Ending::Killed { signal: 9 })),
                Action::Recovered(_) => self.recovered += 1,
                Action::Drain | Action::Terminate | Action::Examine | Action::Lost(_) => {}
            }
        }
    }

    fn pass(&mut self, time: Duration, fail: bool) {
        let until = self.now + time;
        while let Some(deadline) = self.life.deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            let actions = self.life.expire(self.now);
            self.carry_out(actions, fail);
        }
        self.now = until;
    }
}

proptest! {
    #[test]
    fn a_wanted_worker_always_runs_again_within_the_cap(
        steps in proptest::collection::vec((input(), 0_u64..3_000, any::<bool>()), 0..80)
    ) {
        let mut world = World::new();
        for (input, millis, fail) in steps {
            world.give(input);
            world.pass(Duration::from_millis(millis), fail);
            prop_assert_eq!(world.processes == 1, world.life.is_running());
        }
        world.pass(timing().drain + timing().terminate + Duration::from_secs(1), false);
        world.pass(timing().backoff.cap, false);
        prop_assert!(world.life.is_running(), "{:?}", world.life.phase());
    }

    #[test]
    fn a_stop_always_ends_in_stopped_and_stays_so(
        steps in proptest::collection::vec((input(), 0_u64..3_000), 0..40)
    ) {
        let mut world = World::new();
        for (input, millis) in steps {
            world.give(input);
            world.pass(Duration::from_millis(millis), false);
        }
        world.give(Input::Stop);
        world.pass(timing().drain + timing().terminate + Duration::from_secs(1), false);
        prop_assert_eq!(world.life.phase(), &Phase::Stopped);
        world.pass(Duration::from_secs(3_600), false);
        prop_assert_eq!((world.processes, world.life.phase()), (0, &Phase::Stopped));
    }

    #[test]
    fn every_loss_that_is_made_good_is_recorded_once(kills in 1_usize..20) {
        let mut world = World::new();
        world.give(Input::Ready);
        for _ in 0..kills {
            world.give(Input::Ended(Ending::Killed { signal: 9 }));
            world.pass(timing().backoff.cap, false);
            world.give(Input::Ready);
        }
        prop_assert_eq!(world.recovered, kills);
        prop_assert_eq!(world.life.past().restarts, kills as u64);
    }
}

#[test]
fn silence_is_a_hang_only_after_the_worker_has_connected() {
    let mut world = World::new();
    world.give(Input::Ready);
    world.pass(Duration::from_secs(60), false);
    assert_eq!(world.life.past().restarts, 0);
    world.give(Input::Connected);
    world.pass(Duration::from_millis(699), false);
    assert_eq!(world.life.past().restarts, 0);
    world.pass(Duration::from_millis(1), false);
    assert_eq!(world.life.past().restarts, 1);
    assert_eq!(world.life.past().last_exit.as_deref(), Some("hung: its event loop gave no sign of life for 700 ms"));
}

#[test]
fn a_hang_is_made_good_counting_from_the_last_sign_of_life() {
    let mut world = World::new();
    world.give(Input::Connected);
    world.give(Input::Ready);
    world.pass(Duration::from_millis(700), false);
    world.pass(Duration::from_millis(50), false);
    world.give(Input::Ready);
    assert_eq!(world.life.past().last_recovery, Some(Duration::from_millis(750)));
}

#[test]
fn what_happened_while_the_supervisor_slept_is_forgiven() {
    let mut world = World::new();
    world.give(Input::Connected);
    world.give(Input::Ready);
    let woken = world.now + Duration::from_secs(30);
    world.life.forgive(woken);
    assert!(world.life.expire(woken).is_empty());
    assert_eq!(world.life.phase(), &Phase::Serving);
}

#[test]
fn a_worker_that_is_never_ready_is_replaced_with_the_reason() {
    let mut world = World::new();
    world.pass(timing().ready, false);
    assert_eq!(world.life.past().last_exit.as_deref(), Some("was not ready 10 s after its start"));
    assert_eq!(world.life.state(), ComponentState::Starting);
}

#[test]
fn an_adopted_worker_that_never_comes_back_is_found_out() {
    let mut life = Lifecycle::new(timing(), Past::default());
    let now = Instant::now();
    assert!(life.step(now, Input::Adopted { ready: true, age: Duration::from_secs(9) }).is_empty());
    assert_eq!(life.state(), ComponentState::Ready);
    assert_eq!(life.deadline(), Some(now + timing().ready));
    assert_eq!(life.expire(now + timing().ready), [Action::Examine, Action::Kill]);
}

#[test]
fn a_stubborn_process_is_asked_then_told_then_killed() {
    let mut life = Lifecycle::new(timing(), Past::default());
    let mut now = Instant::now();
    life.step(now, Input::Start);
    life.step(now, Input::Ready);
    assert_eq!(life.step(now, Input::Stop), [Action::Drain]);
    now += timing().drain;
    assert_eq!(life.expire(now), [Action::Terminate]);
    now += timing().terminate;
    assert_eq!(life.expire(now), [Action::Kill]);
    assert!(life.step(now, Input::Ended(Ending::Killed { signal: 9 })).is_empty());
    assert_eq!(life.state(), ComponentState::Stopped);
}

#[test]
fn a_worker_that_lives_and_says_why_it_is_not_ready_is_left_to_it() {
    let mut world = World::new();
    world.give(Input::Connected);
    world.give(Input::NotReady("the store is damaged".to_owned()));
    for _ in 0..600 {
        world.pass(Duration::from_millis(200), false);
        world.give(Input::Alive);
    }
    assert_eq!(world.life.past().restarts, 0);
    assert_eq!(world.life.state(), ComponentState::Degraded);
    assert_eq!(world.life.detail().as_deref(), Some("the store is damaged"));
    assert!(!world.life.was_ready());
    world.give(Input::Ready);
    assert_eq!(world.life.phase(), &Phase::Serving);
    assert!(world.life.was_ready());
}

#[test]
fn a_reason_protects_from_the_deadline_and_not_from_silence() {
    let mut world = World::new();
    world.give(Input::Connected);
    world.give(Input::NotReady("the store is damaged".to_owned()));
    world.pass(Duration::from_millis(700), false);
    assert_eq!(world.life.past().restarts, 1);
    assert_eq!(world.life.past().last_exit.as_deref(), Some("hung: its event loop gave no sign of life for 700 ms"));
    // Its successor says nothing at all, which is another thing.
    world.give(Input::Connected);
    for _ in 0..60 {
        world.give(Input::Alive);
        world.pass(Duration::from_millis(200), false);
    }
    assert_eq!(world.life.past().last_exit.as_deref(), Some("was not ready 10 s after its start"));
}

proptest! {
    #[test]
    fn whoever_gives_a_reason_and_lives_is_never_replaced(
        reasons in proptest::collection::vec(("[a-c]", 1_u64..700), 1..200)
    ) {
        let mut world = World::new();
        world.give(Input::Connected);
        for (reason, millis) in reasons {
            world.give(Input::NotReady(reason));
            world.give(Input::Alive);
            world.pass(Duration::from_millis(millis - 1), false);
        }
        prop_assert_eq!((world.life.past().restarts, world.life.state()), (0, ComponentState::Degraded));
    }
}

#[test]
fn an_announced_end_is_a_drill_unless_the_return_fails_by_itself() {
    let begun = Instant::now();
    let killed = Input::Ended(Ending::Killed { signal: 9 });
    let occasion = |inputs: &[Input]| {
        let mut life = Lifecycle::new(timing(), Past::default());
        let mut actions = life.step(begun, Input::Start);
        for input in inputs {
            actions = life.step(begun, input.clone());
        }
        match actions.as_slice() {
            [Action::Recovered(comeback)] => (comeback.occasion, life.past().restarts),
            other => panic!("{other:?}"),
        }
    };
    let announced = Input::Announced("drill".to_owned());
    let ready = Input::Ready;
    let drill = [ready.clone(), announced.clone(), killed.clone(), ready.clone()];
    assert_eq!(occasion(&drill), (Occasion::Drill, 0));
    let fault = [ready.clone(), killed.clone(), ready.clone()];
    assert_eq!(occasion(&fault), (Occasion::Fault, 1));
    // The policy waits before the start after the second end.
    let mut life = Lifecycle::new(timing(), Past::default());
    for input in [Input::Start, ready.clone(), announced, killed.clone(), killed] {
        life.step(begun, input);
    }
    life.expire(begun + Duration::from_secs(5));
    let actions = life.step(begun + Duration::from_secs(5), ready);
    assert!(
        matches!(actions.as_slice(), [Action::Recovered(Comeback { occasion: Occasion::Fault, .. })]),
        "{actions:?}"
    );
}
