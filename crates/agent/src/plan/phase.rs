//! What is so, in the words of the API.

use nodepanel_types::state::{Phase, StopReason};

use super::{Installing, Process, View};

/// The phase of the server.
pub fn phase(view: View<'_>) -> Phase {
    let progress = view.progress;
    match view.process {
        Process::Alive { number, run, ready_at } => {
            let sent = progress.run.as_ref().filter(|record| record.number == *number).and_then(|record| record.stop);
            return match (sent, ready_at) {
                (Some(sent), _) => Phase::Stopping { run: *run, kill_at: sent.kill_at },
                (None, Some(ready_at)) => Phase::Running { run: *run, ready_at: *ready_at },
                (None, None) => Phase::Starting { run: Some(*run) },
            };
        }
        Process::Spawning => return Phase::Starting { run: None },
        Process::Absent | Process::Ended { .. } => {}
    }
    if let Some(job) = &progress.install.current {
        let (step, percent) = match view.installing {
            Installing::Yes { step, percent, .. } => (step.clone(), *percent),
            Installing::No if job.attempt > 0 => ("waiting for the next attempt".to_owned(), 0),
            Installing::No => ("waiting for its turn".to_owned(), 0),
        };
        return Phase::Installing { job: job.job, attempt: job.attempt.max(1), step, percent };
    }
    if let Some(message) = progress.install.failure() {
        return Phase::Stopped { reason: StopReason::InstallFailed { message: message.to_owned() } };
    }
    if !progress.wants_running() {
        return Phase::Stopped { reason: progress.stopped.clone() };
    }
    match (&progress.crashes.last, progress.crashes.restart_at) {
        (Some(exit), Some(restart_at)) => {
            let (exit, crashes) = (exit.clone(), progress.crashes.in_a_row);
            if progress.crashes.is_looping() {
                Phase::CrashLooping { exit, restart_at, crashes }
            } else {
                Phase::Crashed { exit, restart_at, crashes }
            }
        }
        _ => Phase::Starting { run: None },
    }
}
