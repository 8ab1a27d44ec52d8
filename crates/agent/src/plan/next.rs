//! The decision: which step follows.
//!
//! ```text
//!   what ended is taken note of  >  a removal  >  a newer wish  >  what must end  >  installation  >  start
//! ```
//!
//! Every wait names the instant at which it is decided anew; one that lies further in the future than its cause allows
//! (the clock was set back) counts as over.

use nodepanel_types::{Millis, Timestamp, state::PowerAction};

use super::{Installing, Process, Progress, View};
use crate::policy;

/// How long a step (a spawn, an answer to SIGKILL) may take before it is looked at again, in milliseconds.
pub const STEP_DEADLINE_MS: Millis = 2_000;
/// The longest that anything waits without being looked at again, in milliseconds.
const LONGEST_WAIT_MS: Millis = 15_000;
/// The longest stagger after a boot that is believed, in milliseconds.
const LONGEST_TURN_MS: Millis = 3_600_000;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Take up the newer power wish.
    Begin,
    /// Take note of how the process ended.
    Account,
    /// Make a job of the newer installation.
    AcceptInstall,
    /// Run the installation that waits.
    Install,
    /// End the installation that runs.
    EndInstall,
    /// Leave the installation that runs for later.
    PauseInstall,
    /// Start the server.
    Start,
    /// Ask the process to stop.
    Stop,
    /// End the process.
    Kill,
    /// Delete everything of the server.
    Delete,
    /// Nothing now; look again at this instant at the latest.
    Wait {
        /// When.
        until: Timestamp,
    },
}

/// The next step.
pub fn next(view: View<'_>) -> Step {
    let progress = view.progress;
    if matches!(view.process, Process::Ended { .. }) {
        return Step::Account;
    }
    if progress.removing.is_none() && view.wanted.power.serial > progress.power_serial {
        return Step::Begin;
    }
    if let Installing::Yes { ending, .. } = view.installing {
        if view.suspended {
            return Step::PauseInstall;
        }
        let unwanted = progress.removing.is_some() || is_cancelled(progress) || is_superseded(view);
        return if unwanted && !ending { Step::EndInstall } else { look_again(view, STEP_DEADLINE_MS) };
    }
    match view.process {
        Process::Spawning | Process::Ended { .. } => look_again(view, STEP_DEADLINE_MS),
        Process::Alive { number, .. } => alive(view, *number),
        Process::Absent => absent(view),
    }
}

fn is_cancelled(progress: &Progress) -> bool {
    progress.install.current.as_ref().is_some_and(|job| job.cancelled)
}

/// A newer installation was asked for while an older one runs.
fn is_superseded(view: View<'_>) -> bool {
    view.progress.install.current.as_ref().is_some_and(|job| job.serial < view.wanted.install_serial)
}

fn needs_install(view: View<'_>) -> bool {
    view.wanted.install_serial > view.progress.install.finished
}

fn alive(view: View<'_>, number: u64) -> Step {
    let progress = view.progress;
    let sent = progress.run.as_ref().filter(|run| run.number == number).and_then(|run| run.stop);
    let must_end = !progress.wants_running()
        || view.suspended
        || progress.replace == Some(number)
        || needs_install(view)
        || sent.is_some();
    if !must_end {
        return look_again(view, LONGEST_WAIT_MS);
    }
    let kill_now = progress.action == PowerAction::Kill && progress.removing.is_none();
    match sent {
        None if kill_now => Step::Kill,
        None => Step::Stop,
        Some(sent) => match sent.killed_at {
            Some(at) if !is_over(at.plus(STEP_DEADLINE_MS), STEP_DEADLINE_MS, view.now) => {
                Step::Wait { until: at.plus(STEP_DEADLINE_MS) }
            }
            Some(_) => Step::Kill,
            None if kill_now || is_over(sent.kill_at, view.wanted.stop_timeout_ms, view.now) => Step::Kill,
            None => Step::Wait { until: sent.kill_at },
        },
    }
}

fn absent(view: View<'_>) -> Step {
    let progress = view.progress;
    if progress.removing.is_some() {
        return Step::Delete;
    }
    if view.suspended {
        return look_again(view, LONGEST_WAIT_MS);
    }
    if needs_install(view) {
        return match &progress.install.current {
            Some(job) if job.serial == view.wanted.install_serial => match job.not_before {
                Some(at) if !is_over(at, LONGEST_WAIT_MS, view.now) => Step::Wait { until: at },
                _ => Step::Install,
            },
            _ => Step::AcceptInstall,
        };
    }
    if !progress.wants_running() || progress.install.failure().is_some() {
        return look_again(view, LONGEST_WAIT_MS);
    }
    if let Some(at) = progress.crashes.restart_at
        && !is_over(at, policy::longest(&progress.crashes, &view.wanted.crash), view.now)
    {
        return Step::Wait { until: at };
    }
    if let Some(at) = view.turn_at
        && !is_over(at, LONGEST_TURN_MS, view.now)
    {
        return Step::Wait { until: at };
    }
    Step::Start
}

/// Whether `at` has come, or lies further ahead than `longest`, which only a clock that was set back explains.
fn is_over(at: Timestamp, longest: Millis, now: Timestamp) -> bool {
    at <= now || at.since(now) > longest.saturating_add(1_000)
}

fn look_again(view: View<'_>, after: Millis) -> Step {
    Step::Wait { until: view.now.plus(after) }
}

#[cfg(test)]
mod tests {
    use nodepanel_types::state::{Exit, PowerIntent};

    use super::*;
    use crate::plan::{Process, Wanted};

    #[test]
    fn a_pause_that_another_clock_set_is_over() {
        let mut progress = Progress { power_serial: 1, action: PowerAction::Start, ..Progress::default() };
        let now = Timestamp::from_millis(1_000_000);
        progress.crashes.in_a_row = 1;
        progress.crashes.last = Some(Exit::Code { code: 3 });
        let wanted = Wanted {
            power: PowerIntent { action: PowerAction::Start, serial: 1 },
            install_serial: 0,
            crash: nodepanel_types::state::CrashPolicy::default(),
            stop_timeout_ms: 1_000,
        };
        let mut step = |restart_at| {
            progress.crashes.restart_at = Some(restart_at);
            let (process, installing) = (Process::Absent, Installing::No);
            next(View {
                wanted: &wanted,
                progress: &progress,
                process: &process,
                installing: &installing,
                turn_at: None,
                suspended: false,
                now,
            })
        };
        assert_eq!(step(now.plus(1_000)), Step::Wait { until: now.plus(1_000) });
        // The clock was set back by four minutes, and nobody was there to see it.
        assert_eq!(step(now.plus(240_000)), Step::Start);
    }
}
