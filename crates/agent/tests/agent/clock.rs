//! A clock that is set while servers run: what was to happen in a second happens in a second.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use nodepanel_types::{
    Timestamp,
    clock::Clock,
    state::{Phase, PowerAction},
};

use crate::harness::{Home, SystemClock, server};

/// The machine's clock, set to another time.
#[derive(Default)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_game_does_not_wait_for_a_clock_that_was_set_back() {
    let home = Home::new();
    let clock = Arc::new(SetClock::default());
    let agent = home.agent_by(clock.clone()).await;
    let mut desired = server(&[]);
    desired.crash.first_delay_ms = 1_000;
    desired.crash.max_delay_ms = 7_200_000;
    agent.power(&mut desired, PowerAction::Start).await;
    let before = agent.wait_for_state(desired.server, "running").await;
    agent.command(desired.server, "crash").await;
    agent.wait_for_state(desired.server, "crashed").await;
    clock.0.store(-3_600_000, Ordering::Relaxed);
    let after = agent.wait_for_state(desired.server, "running").await;
    assert_eq!(after.automatic_restarts, before.automatic_restarts + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_that_saves_is_not_killed_by_a_clock_that_was_set_forward() {
    let home = Home::new();
    let clock = Arc::new(SetClock::default());
    let agent = home.agent_by(clock.clone()).await;
    let mut desired = server(&["deaf"]);
    desired.launch.stop_timeout_ms = 60_000;
    agent.power(&mut desired, PowerAction::Start).await;
    let running = agent.wait_for_state(desired.server, "running").await;
    agent.power(&mut desired, PowerAction::Stop).await;
    agent.wait_for_state(desired.server, "stopping").await;
    clock.0.store(3_600_000, Ordering::Relaxed);
    desired.generation += 1;
    agent.apply(&desired).await;
    let seen = agent.wait_for(desired.server, |seen| seen.generation == desired.generation).await;
    let Phase::Stopping { run, kill_at } = seen.phase else { panic!("{seen:?}") };
    assert_eq!(Some(run), running.phase.run(), "it is left to save what it has");
    assert!(kill_at.since(clock.now()) > 30_000, "{kill_at}");
    agent.power(&mut desired, PowerAction::Kill).await;
    agent.wait_for_state(desired.server, "stopped").await;
}
