//! The plan against a simulated machine: whatever happens, nothing gets stuck, and the last wish is fulfilled.

use nodepanel_types::{
    JobId, Timestamp,
    state::{CrashPolicy, Exit, Phase, PowerAction, PowerIntent, Run},
};
use proptest::prelude::*;

use super::*;

const CRASH: CrashPolicy = CrashPolicy { first_delay_ms: 100, max_delay_ms: 5_000, healthy_after_ms: 3_000 };
const STOP_TIMEOUT_MS: u64 = 2_000;

/// What may happen at an instant, besides time passing.
#[derive(Debug, Clone)]
enum Event {
    Ask(PowerAction),
    Reinstall,
    Exit(Exit),
    FailInstalls(bool),
    HangOnStop(bool),
    AgentRestart,
    Reboot,
    Remove,
    ClockBack(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => prop::sample::select(PowerAction::ALL.to_vec()).prop_map(Event::Ask),
        1 => Just(Event::Reinstall),
        4 => (0..3).prop_map(|code| Event::Exit(Exit::Code { code })),
        1 => Just(Event::Exit(Exit::KeeperLost)),
        1 => any::<bool>().prop_map(Event::FailInstalls),
        1 => any::<bool>().prop_map(Event::HangOnStop),
        1 => Just(Event::AgentRestart),
        1 => Just(Event::Reboot),
        1 => (0_u64..100_000).prop_map(Event::ClockBack),
    ]
}

#[expect(clippy::struct_excessive_bools, reason = "switches of a simulation")]
/// A machine with one server, whose processes do as the events say.
struct Machine {
    wanted: Wanted,
    progress: Progress,
    process: Process,
    /// When the running installation ends.
    install_until: Option<Timestamp>,
    ending: bool,
    /// When the process that was asked to stop ends.
    stops_at: Option<Timestamp>,
    spawned_at: Option<Timestamp>,
    fail_installs: bool,
    hang_on_stop: bool,
    deleted: bool,
    suspended: bool,
    boot: u32,
    pids: u32,
    now: Timestamp,
}

impl Machine {
    fn new() -> Self {
        Self {
            wanted: Wanted {
                power: PowerIntent::default(),
                install_serial: 1,
                crash: CRASH,
                stop_timeout_ms: STOP_TIMEOUT_MS,
            },
            progress: Progress::default(),
            process: Process::Absent,
            install_until: None,
            ending: false,
            stops_at: None,
            spawned_at: None,
            fail_installs: false,
            hang_on_stop: false,
            deleted: false,
            suspended: false,
            boot: 1,
            pids: 0,
            now: Timestamp::from_millis(1_000_000_000),
        }
    }

    fn installing(&self) -> Installing {
        match self.install_until {
            Some(_) => Installing::Yes { step: "x".to_owned(), percent: 1, ending: self.ending },
            None => Installing::No,
        }
    }

    fn step(&self) -> Step {
        next(View {
            wanted: &self.wanted,
            progress: &self.progress,
            process: &self.process,
            installing: &self.installing(),
            turn_at: None,
            suspended: self.suspended,
            now: self.now,
        })
    }

    fn phase(&self) -> Phase {
        phase(View {
            wanted: &self.wanted,
            progress: &self.progress,
            process: &self.process,
            installing: &self.installing(),
            turn_at: None,
            suspended: self.suspended,
            now: self.now,
        })
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Ask(action) => {
                self.wanted.power = PowerIntent { action, serial: self.wanted.power.serial + 1 };
            }
            Event::Reinstall => self.wanted.install_serial += 1,
            Event::Exit(exit) => self.end(exit, false),
            Event::FailInstalls(fail) => self.fail_installs = fail,
            Event::HangOnStop(hang) => self.hang_on_stop = hang,
            Event::AgentRestart => {
                self.install_until = None;
                self.ending = false;
            }
            Event::Reboot => {
                self.boot += 1;
                self.install_until = None;
                self.ending = false;
                self.end(Exit::Unknown, false);
            }
            Event::Remove => self.progress.removing = Some(99),
            Event::ClockBack(by) => {
                let back = |at: Timestamp| Timestamp::from_millis(at.as_millis() - by.cast_signed());
                let now = back(self.now);
                self.now = now;
                // What the machine does takes its time, whatever the clock says.
                for at in [&mut self.install_until, &mut self.stops_at, &mut self.spawned_at] {
                    *at = at.map(back);
                }
            }
        }
    }

    fn end(&mut self, exit: Exit, killed: bool) {
        let (number, started_at) = match &self.process {
            Process::Alive { number, run, .. } => (*number, Some(run.started_at)),
            Process::Spawning => (self.progress.runs, None),
            Process::Absent | Process::Ended { .. } => return,
        };
        self.process = Process::Ended { number, started_at, exit, asked: false, killed, at: self.now };
        self.stops_at = None;
        self.spawned_at = None;
    }

    /// Carries out steps until there is nothing to do at this instant.
    fn settle(&mut self) {
        for _ in 0..30 {
            match self.step() {
                Step::Wait { until } => {
                    assert!(until > self.now, "a wait must lie in the future");
                    return;
                }
                step => self.carry_out(step),
            }
        }
        panic!("the plan does not come to rest: {:?} {:?} {:?}", self.step(), self.progress, self.process);
    }

    fn carry_out(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Begin => drop(begin(&mut self.progress, &self.wanted, &self.process, now)),
            Step::Account => {
                let Process::Ended { started_at, exit, asked, killed, at, .. } = self.process.clone() else {
                    panic!("nothing has ended")
                };
                let end = End { started_at, exit, asked, killed, at };
                account(&mut self.progress, &self.wanted, &end);
                self.process = Process::Absent;
            }
            Step::AcceptInstall => {
                accept_install(&mut self.progress, &self.wanted, JobId::from_uuid(uuid::Uuid::nil()));
            }
            Step::Install => {
                assert_eq!(self.process, Process::Absent, "nothing is installed under a running game");
                install_begun(&mut self.progress, true, now);
                self.install_until = Some(now.plus(700));
                self.ending = false;
            }
            Step::EndInstall => {
                self.ending = true;
                self.install_until = Some(now.plus(50));
            }
            Step::Start => {
                assert_eq!(self.process, Process::Absent, "one process at a time");
                assert!(self.progress.removing.is_none());
                start_begun(&mut self.progress, &self.boot.to_string(), now);
                self.process = Process::Spawning;
                self.spawned_at = Some(now.plus(20));
            }
            Step::Stop => {
                stop_sent(&mut self.progress, &self.wanted, now);
                self.stops_at = (!self.hang_on_stop).then(|| now.plus(300));
            }
            Step::Kill => {
                kill_sent(&mut self.progress, now);
                self.end(Exit::Signal { signal: 9 }, true);
            }
            Step::Delete => {
                assert_eq!(self.process, Process::Absent);
                assert_eq!(self.install_until, None);
                self.deleted = true;
                // What follows is the end of the server's task.
                self.progress = Progress { removing: None, ..Progress::default() };
                self.wanted.power = PowerIntent::default();
                self.wanted.install_serial = 0;
            }
            Step::PauseInstall => self.install_until = None,
            Step::Wait { .. } => unreachable!("settled before"),
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.plus(millis);
        if self.install_until.is_some_and(|at| at <= self.now) {
            self.install_until = None;
            let failure = (self.fail_installs || self.ending).then(|| "no".to_owned());
            install_finished(&mut self.progress, failure, true, self.now);
        }
        if self.spawned_at.is_some_and(|at| at <= self.now) {
            self.spawned_at = None;
            self.pids += 1;
            let run = Run { pid: self.pids, started_at: self.now };
            self.process = Process::Alive { number: self.progress.runs, run, ready_at: Some(self.now) };
        }
        if self.stops_at.is_some_and(|at| at <= self.now) {
            self.end(Exit::Code { code: 0 }, false);
        }
    }

    fn live(&mut self, millis: u64) {
        let mut left = millis;
        while left > 0 {
            self.settle();
            let tick = left.min(50);
            self.pass(tick);
            left -= tick;
        }
        self.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_last_wish_is_fulfilled_whatever_happened_before(
        events in prop::collection::vec((event(), 0_u64..4_000), 0..25),
        last in prop::sample::select(PowerAction::ALL.to_vec()),
    ) {
        let mut machine = Machine::new();
        for (event, pause) in events {
            machine.happen(event);
            machine.live(pause);
        }
        machine.fail_installs = false;
        machine.wanted.install_serial += 1;
        machine.live(30_000);
        machine.happen(Event::Ask(last));
        // A stop that hangs takes its timeout; a clock that was set back, one delay more.
        machine.live(20_000);
        let phase = machine.phase();
        if last.wants_running() {
            prop_assert!(matches!(phase, Phase::Running { .. }), "{last:?}: {phase:?} {:?}", machine.progress);
        } else {
            prop_assert!(matches!(phase, Phase::Stopped { .. }), "{last:?}: {phase:?} {:?}", machine.progress);
        }
    }

    #[test]
    fn a_removal_always_ends_in_the_deletion(
        events in prop::collection::vec((event(), 0_u64..2_000), 0..15),
    ) {
        let mut machine = Machine::new();
        for (event, pause) in events {
            machine.happen(event);
            machine.live(pause);
        }
        machine.happen(Event::Remove);
        machine.live(10_000);
        prop_assert!(machine.deleted, "{:?} {:?}", machine.process, machine.progress);
    }
}

fn running() -> Machine {
    let mut machine = Machine::new();
    machine.live(2_000);
    machine.happen(Event::Ask(PowerAction::Start));
    machine.live(1_000);
    assert!(matches!(machine.phase(), Phase::Running { .. }));
    machine
}

#[test]
fn suspended_servers_stop_and_take_up_their_wish_afterwards() {
    let mut machine = running();
    machine.suspended = true;
    machine.live(1_000);
    assert_eq!(machine.process, Process::Absent);
    machine.suspended = false;
    machine.live(1_000);
    assert!(matches!(machine.phase(), Phase::Running { .. }));
    assert_eq!(machine.progress.automatic_restarts, 0);
}

#[test]
fn a_restart_replaces_the_process_once() {
    let mut machine = running();
    machine.happen(Event::Ask(PowerAction::Restart));
    machine.live(10_000);
    assert!(matches!(machine.phase(), Phase::Running { .. }));
    assert_eq!(machine.progress.runs, 2);
    assert_eq!(machine.progress.automatic_restarts, 0);
}

#[test]
fn kill_wins_over_a_stop_that_hangs() {
    let mut machine = running();
    machine.hang_on_stop = true;
    machine.happen(Event::Ask(PowerAction::Stop));
    machine.live(500);
    assert!(matches!(machine.phase(), Phase::Stopping { .. }));
    machine.happen(Event::Ask(PowerAction::Kill));
    machine.live(50);
    let Phase::Stopped { reason } = machine.phase() else { panic!("{:?}", machine.phase()) };
    assert!(matches!(reason, nodepanel_types::state::StopReason::Asked { killed: true, .. }), "{reason:?}");
}

#[test]
fn kill_wins_over_an_installation() {
    let mut machine = Machine::new();
    machine.live(100);
    assert!(matches!(machine.phase(), Phase::Installing { .. }));
    machine.happen(Event::Ask(PowerAction::Kill));
    machine.live(200);
    let phase = machine.phase();
    assert!(phase.reason().contains("Kill was asked for") || phase.reason().contains("no"), "{}", phase.reason());
    assert!(machine.progress.install.failure().is_some());
}

#[test]
fn three_crashes_are_a_loop_that_goes_on_and_a_start_cuts_the_wait_short() {
    let mut machine = running();
    for crash in 1..=5_u32 {
        machine.happen(Event::Exit(Exit::Code { code: 1 }));
        machine.settle();
        match machine.phase() {
            Phase::Crashed { crashes, .. } => assert!(crashes == crash && crash < 3),
            Phase::CrashLooping { crashes, .. } => assert!(crashes == crash && crash >= 3),
            other => panic!("{other:?}"),
        }
        if crash < 5 {
            machine.live(2_000);
            assert!(matches!(machine.phase(), Phase::Running { .. }), "{:?}", machine.phase());
        }
    }
    assert_eq!(machine.progress.automatic_restarts, 4);
    machine.happen(Event::Ask(PowerAction::Start));
    machine.live(100);
    assert!(matches!(machine.phase(), Phase::Running { .. }));
}

#[test]
fn after_a_reboot_what_should_run_runs_and_what_was_stopped_stays() {
    let mut machine = running();
    machine.happen(Event::Reboot);
    machine.live(500);
    assert!(matches!(machine.phase(), Phase::Running { .. }));
    assert_eq!(machine.progress.crashes.in_a_row, 0);
    machine.happen(Event::Ask(PowerAction::Stop));
    machine.live(1_000);
    machine.happen(Event::Reboot);
    machine.live(5_000);
    assert!(matches!(machine.phase(), Phase::Stopped { .. }));
}

#[test]
fn a_failed_installation_is_tried_twice_and_then_waits_for_the_next_serial() {
    let mut machine = Machine::new();
    machine.fail_installs = true;
    machine.happen(Event::Ask(PowerAction::Start));
    machine.live(20_000);
    assert!(matches!(machine.phase(), Phase::Stopped { .. }), "{:?}", machine.phase());
    assert_eq!(machine.progress.install.finished, 1);
    machine.fail_installs = false;
    machine.happen(Event::Reinstall);
    machine.live(3_000);
    assert!(matches!(machine.phase(), Phase::Running { .. }), "{:?}", machine.phase());
}
