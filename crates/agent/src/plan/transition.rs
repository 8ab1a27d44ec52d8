//! How the durable progress changes with each step. Each function is applied once per event, before or after the
//! step as its name says, and written to disk together with the activity that it returns.

use nodepanel_types::{
    JobId, Millis, Timestamp,
    state::{Exit, PowerAction, StopReason},
    wire::ActivityKind,
};

use super::{InstallJob, InstallResult, Process, Progress, RunRecord, StopSent, Wanted};
use crate::policy::{self, CrashHistory};

/// Attempts of an installation before it is said to have failed. The first failure is often the network.
const INSTALL_ATTEMPTS: u32 = 2;
/// Why an installation that was killed has failed.
pub const CANCELLED: &str = "Kill was asked for while it ran. Install again when you want the server.";
/// The pause between them, in milliseconds.
const INSTALL_RETRY_MS: Millis = 5_000;

/// Something for the activity journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What kind of thing.
    pub kind: ActivityKind,
    /// What happened and why.
    pub text: String,
    /// How long it took.
    pub took_ms: Option<Millis>,
    /// Whether the node did it by itself.
    pub automatic: bool,
}

impl Note {
    fn asked(kind: ActivityKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), took_ms: None, automatic: false }
    }

    fn automatic(kind: ActivityKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), took_ms: None, automatic: true }
    }
}

/// Takes up the power wish of `wanted`. `process` is the process that it finds. The first wish that an agent ever takes
/// up for a server ends nothing that runs already and should run: after the loss of its records the agent cannot know
/// whether it has carried out that restart before.
pub fn begin(progress: &mut Progress, wanted: &Wanted, process: &Process, now: Timestamp) -> Vec<Note> {
    let first = progress.power_serial == 0;
    progress.power_serial = wanted.power.serial;
    progress.action = wanted.power.action;
    progress.replace = None;
    let running = match process {
        Process::Alive { number, .. } => Some(*number),
        Process::Spawning => progress.run.as_ref().map(|run| run.number),
        Process::Absent | Process::Ended { .. } => None,
    };
    match wanted.power.action {
        PowerAction::Start | PowerAction::Restart => {
            if wanted.power.action == PowerAction::Restart && !first {
                progress.replace = running;
            }
            // Who asks for a start does not want to wait for the end of a back-off.
            progress.crashes = CrashHistory::default();
        }
        PowerAction::Stop | PowerAction::Kill => {
            if running.is_none()
                && let Some(exit) = progress.crashes.last.take()
            {
                progress.stopped = StopReason::Asked { exit, killed: false };
            }
            progress.crashes = CrashHistory::default();
        }
    }
    let mut notes = vec![begin_note(wanted.power.action, running.is_some())];
    if wanted.power.action == PowerAction::Kill
        && let Some(job) = &mut progress.install.current
    {
        job.cancelled = true;
        if job.started_at.is_none() {
            notes.extend(install_finished(progress, Some(CANCELLED.to_owned()), false, now));
        }
    }
    notes
}

fn begin_note(action: PowerAction, running: bool) -> Note {
    let text = match (action, running) {
        (PowerAction::Start, false) => "Start was asked for.",
        (PowerAction::Start, true) => "Start was asked for; the server runs already.",
        (PowerAction::Stop, true) => "Stop was asked for.",
        (PowerAction::Stop, false) => "Stop was asked for; the server does not run and stays stopped.",
        (PowerAction::Restart, _) => "Restart was asked for.",
        (PowerAction::Kill, true) => "Kill was asked for.",
        (PowerAction::Kill, false) => "Kill was asked for; the server stays stopped.",
    };
    Note::asked(ActivityKind::Power, text)
}

/// Begins a run: before it is spawned. Returns its record and what to note.
pub fn start_begun(progress: &mut Progress, boot: &str, now: Timestamp) -> (RunRecord, Option<Note>) {
    progress.runs = progress.runs.saturating_add(1);
    let run = RunRecord { number: progress.runs, begun_at: now, boot: boot.to_owned(), stop: None };
    progress.run = Some(run.clone());
    progress.replace = None;
    let note = progress.crashes.restart_at.take().map(|_| {
        progress.automatic_restarts = progress.automatic_restarts.saturating_add(1);
        let how = progress.crashes.last.as_ref().map_or_else(String::new, |exit| format!(": it {}", exit.describe()));
        Note::automatic(ActivityKind::Restart, format!("Started again after the crash{how}."))
    });
    (run, note)
}

/// A soft stop goes out; SIGKILL follows at the instant that this sets.
pub fn stop_sent(progress: &mut Progress, wanted: &Wanted, now: Timestamp) -> Timestamp {
    let kill_at = now.plus(wanted.stop_timeout_ms);
    if let Some(run) = &mut progress.run {
        run.stop = Some(StopSent { kill_at, killed_at: None });
    }
    kill_at
}

/// SIGKILL goes out.
pub fn kill_sent(progress: &mut Progress, now: Timestamp) -> Option<Note> {
    let run = progress.run.as_mut()?;
    let late = run.stop.is_some_and(|sent| sent.killed_at.is_none()) && progress.action != PowerAction::Kill;
    let kill_at = run.stop.map_or(now, |sent| sent.kill_at);
    run.stop = Some(StopSent { kill_at, killed_at: Some(now) });
    late.then(|| {
        Note::automatic(ActivityKind::Power, "The server did not stop within its time and was ended by SIGKILL.")
    })
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When its process was spawned, if it was.
    pub started_at: Option<Timestamp>,
    /// How it ended.
    pub exit: Exit,
    /// Whether its keeper had been asked to end it.
    pub asked: bool,
    /// Whether it took SIGKILL.
    pub killed: bool,
    /// When.
    pub at: Timestamp,
}

/// What an end leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounted {
    /// What happened and what follows, for the journal.
    pub note: Note,
    /// What the node does by itself now, for the console, which has told the end already.
    pub follows: Option<String>,
}

/// The run in progress has ended: was it asked for, and what follows? The run's record is gone afterwards.
pub fn account(progress: &mut Progress, wanted: &Wanted, end: &End) -> Accounted {
    let End { started_at, exit, asked, killed, at } = end;
    let at = *at;
    let run = progress.run.take();
    let number = run.as_ref().map(|run| run.number);
    let stop = run.as_ref().and_then(|run| run.stop);
    let replaced = progress.replace.is_some() && progress.replace == number;
    progress.replace = None;
    let asked = *asked || stop.is_some() || replaced || !progress.wants_running();
    if asked {
        let killed = *killed || stop.is_some_and(|sent| sent.killed_at.is_some());
        progress.stopped = StopReason::Asked { exit: exit.clone(), killed };
        progress.crashes = CrashHistory::default();
        let text = match (killed, progress.wants_running()) {
            (true, false) => "Ended by SIGKILL.".to_owned(),
            (false, false) => format!("Stopped; it {}.", exit.describe()),
            (_, true) => format!("Stopped to be started again; it {}.", exit.describe()),
        };
        return Accounted { note: Note::asked(ActivityKind::Power, text), follows: None };
    }
    if *exit == Exit::Unknown {
        // The machine went down with it. That is no crash of the game: it starts again without a mark against it.
        progress.crashes.restart_at = None;
        let text = "The machine was restarted while the server ran; it is started again.";
        return Accounted { note: Note::automatic(ActivityKind::Recovery, text), follows: None };
    }
    let begun = started_at.or_else(|| run.map(|run| run.begun_at)).unwrap_or(at);
    let verdict = policy::answer(&progress.crashes, &wanted.crash, exit, at.since(begun), at);
    progress.crashes = verdict.history;
    Accounted { note: Note::automatic(ActivityKind::Crash, verdict.reason), follows: Some(verdict.follows) }
}

/// Makes a job of the installation that `wanted` asks for.
pub fn accept_install(progress: &mut Progress, wanted: &Wanted, job: JobId) {
    progress.install.current = Some(InstallJob {
        job,
        serial: wanted.install_serial,
        attempt: 0,
        started_at: None,
        not_before: None,
        cancelled: false,
    });
}

/// An attempt begins, or is taken up again when `resumed`.
pub fn install_begun(progress: &mut Progress, resumed: bool, now: Timestamp) -> Option<Note> {
    let job = progress.install.current.as_mut()?;
    if resumed && job.started_at.is_some() {
        return Some(Note::automatic(
            ActivityKind::Install,
            "The agent was restarted during the installation; it is taken up again.",
        ));
    }
    job.attempt = job.attempt.saturating_add(1);
    job.started_at = Some(now);
    job.not_before = None;
    let text = if job.attempt == 1 {
        "The installation began.".to_owned()
    } else {
        format!("The installation began again, attempt {}.", job.attempt)
    };
    Some(if job.attempt == 1 {
        Note::asked(ActivityKind::Install, text)
    } else {
        Note::automatic(ActivityKind::Install, text)
    })
}

/// An attempt ended. `failure` is the reason in words; `retry` says whether trying again could help.
pub fn install_finished(progress: &mut Progress, failure: Option<String>, retry: bool, now: Timestamp) -> Option<Note> {
    let install = &mut progress.install;
    let job = install.current.as_mut()?;
    let took_ms = job.started_at.map_or(0, |at| now.since(at));
    if let Some(message) = &failure
        && retry
        && !job.cancelled
        && job.attempt < INSTALL_ATTEMPTS
    {
        job.started_at = None;
        job.not_before = Some(now.plus(INSTALL_RETRY_MS));
        let text =
            format!("The installation failed and is tried again in {}. {message}", policy::duration(INSTALL_RETRY_MS));
        return Some(Note { kind: ActivityKind::Install, text, took_ms: Some(took_ms), automatic: true });
    }
    install.finished = job.serial;
    install.current = None;
    install.result = Some(InstallResult { at: now, took_ms, failure: failure.clone() });
    let text = failure.map_or_else(
        || format!("The installation succeeded after {}.", policy::duration(took_ms)),
        |message| format!("The installation failed: {message}"),
    );
    Some(Note { kind: ActivityKind::Install, text, took_ms: Some(took_ms), automatic: false })
}

/// What is noted when a removal begins.
pub fn removal_begun() -> Note {
    Note::asked(ActivityKind::Remove, "Removal was asked for: the server is stopped and its files are deleted.")
}

/// What is noted when everything of a server is deleted.
pub fn removed(name: &str) -> Note {
    Note::asked(ActivityKind::Remove, format!("The server \u{201c}{name}\u{201d} was removed with its files."))
}
