//! One program of an installation: started, or taken up where an earlier agent left it, and waited for.

use std::{path::Path, sync::Arc};

use futures_util::StreamExt as _;
use nodepanel_shim::{
    log::{LogError, LogWriter},
    spec::LogSpec,
};
use nodepanel_types::{
    Timestamp,
    state::Exit,
    wire::{ConsoleFrame, ConsoleLine, LineKind},
};
use tokio::time::{Duration, timeout};

use super::job::Running as JobRunning;
use crate::{
    runtime::{ConsoleFrom, Recovered, RunEnd, RunOrder, RunState, Running, RuntimeError},
    server::Feed,
};

/// How long a step may take to die of SIGKILL.
const KILL_DEADLINE: Duration = Duration::from_secs(10);
/// How long the log may be another's.
const LOG_DEADLINE: Duration = Duration::from_secs(2);
/// Lines that are quoted when a step fails.
const QUOTED: u64 = 5;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// With exit code 0.
    Done,
    /// Otherwise; in words, with its last lines.
    Failed(String),
    /// It was ended because the job was told to end.
    Cancelled,
    /// It was ended because the time of the job was up.
    TimedOut,
}

/// Runs `order`, or takes it up when `resumed`.
pub async fn run(job: &JobRunning<'_>, order: RunOrder, title: &str, resumed: bool) -> StepEnd {
    let runtime = &job.node.runtime;
    let place = order.place.clone();
    let found = if resumed { runtime.recover(&place).await } else { Ok(Recovered::Nothing) };
    let run = match found {
        Ok(Recovered::Running(run)) => run,
        Ok(Recovered::Ended(end)) if !end.asked => return verdict(&end, &place.log_dir, title).await,
        Ok(Recovered::Ended(_) | Recovered::Nothing | Recovered::Lost) => {
            runtime.forget(&place).await;
            match runtime.start(order).await {
                Ok(run) => run,
                Err(error) => return not_run(job, title, &error),
            }
        }
        Err(error) => return not_run(job, title, &error),
    };
    job.server.install().send_replace(Feed::Live(Arc::clone(&run)));
    let end = wait(job, run.as_ref()).await;
    let end = match end {
        Waited::Ended(end) => verdict_live(&end, run.as_ref(), &place.log_dir, title).await,
        Waited::Cancelled => StepEnd::Cancelled,
        Waited::TimedOut => StepEnd::TimedOut,
    };
    job.server.install().send_replace(Feed::Pause);
    run.release().await;
    end
}

fn not_run(job: &JobRunning<'_>, title: &str, error: &RuntimeError) -> StepEnd {
    tracing::warn!(server.id = %job.server.id, error = error.in_full(), "A step of an installation cannot be run");
    StepEnd::Failed(format!("\u{201c}{title}\u{201d} could not be run: {}.", error.for_owner()))
}

enum Waited {
    Ended(RunEnd),
    Cancelled,
    TimedOut,
}

async fn wait(job: &JobRunning<'_>, run: &dyn Running) -> Waited {
    let mut state = run.state();
    let why = tokio::select! {
        end = ended(&mut state) => return Waited::Ended(end),
        () = job.cancel.cancelled() => Waited::Cancelled,
        () = tokio::time::sleep_until(job.deadline) => Waited::TimedOut,
    };
    if let Err(error) = run.kill().await {
        tracing::warn!(server = %job.server.id, error = error.in_full(), "A step of an installation cannot be ended");
    }
    if timeout(KILL_DEADLINE, ended(&mut state)).await.is_err() {
        tracing::error!(server = %job.server.id, "A step of an installation does not die of SIGKILL");
    }
    why
}

async fn ended(state: &mut tokio::sync::watch::Receiver<RunState>) -> RunEnd {
    let unknown = RunEnd { started_at: None, exit: Exit::Unknown, asked: false, killed: false, at: Timestamp::EPOCH };
    match state.wait_for(|state| matches!(state, RunState::Ended(_))).await {
        Ok(state) => match &*state {
            RunState::Ended(end) => end.clone(),
            RunState::Alive { .. } => unknown,
        },
        Err(_) => unknown,
    }
}

async fn verdict_live(end: &RunEnd, run: &dyn Running, log: &Path, title: &str) -> StepEnd {
    if end.exit == (Exit::Code { code: 0 }) {
        return StepEnd::Done;
    }
    let mut lines = Vec::new();
    if let Ok(mut frames) = run.console(ConsoleFrom::Tail(QUOTED), false).await {
        while let Ok(Some(Ok(piece))) = timeout(Duration::from_secs(2), frames.next()).await {
            let found = piece.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
            lines.extend(found.filter_map(|frame| match frame {
                ConsoleFrame::Line(line) => Some(line),
                ConsoleFrame::Gap { .. } | ConsoleFrame::At { .. } => None,
            }));
        }
    }
    if lines.is_empty() {
        return verdict(end, log, title).await;
    }
    StepEnd::Failed(describe(end, &lines, title))
}

async fn verdict(end: &RunEnd, log: &Path, title: &str) -> StepEnd {
    if end.exit == (Exit::Code { code: 0 }) {
        return StepEnd::Done;
    }
    let reader = nodepanel_shim::log::LogReader::new(log);
    let lines = tokio::task::spawn_blocking(move || reader.tail(QUOTED)).await;
    let lines = lines.ok().and_then(Result::ok).unwrap_or_default();
    StepEnd::Failed(describe(end, &lines, title))
}

fn describe(end: &RunEnd, lines: &[ConsoleLine], title: &str) -> String {
    let said: Vec<&str> = lines
        .iter()
        .filter(|line| line.k == LineKind::Out && !line.s.trim().is_empty())
        .map(|line| line.s.trim())
        .collect();
    let how = end.exit.describe();
    if said.is_empty() {
        format!("\u{201c}{title}\u{201d} {how} and said nothing.")
    } else {
        format!("\u{201c}{title}\u{201d} {how}. Its last words: {}", said.join(" / "))
    }
}

/// Writes a line of NodePanel's own into a log that no shim has open. What cannot be written is not worth failing for.
pub async fn say(log_dir: &Path, now: Timestamp, text: String) {
    let spec = LogSpec::new(log_dir);
    // The shim of the step before gives the log back when it goes, a moment after it was told that it may.
    let until = tokio::time::Instant::now() + LOG_DEADLINE;
    loop {
        let (spec, text) = (spec.clone(), text.clone());
        match tokio::task::spawn_blocking(move || append(&spec, now, text)).await {
            Ok(Err(LogError::Busy { .. })) if tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "A line for the log of an installation was not written");
                return;
            }
            Ok(Ok(())) | Err(_) => return,
        }
    }
}

fn append(spec: &LogSpec, now: Timestamp, text: String) -> Result<(), LogError> {
    let failed = |source| LogError::Io { dir: spec.dir.clone(), verb: "written", source };
    let mut writer = LogWriter::open(spec, 1)?;
    let n = writer.next();
    let line = ConsoleLine { n, t: now.as_millis(), k: LineKind::Sys, s: text };
    let mut record = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
    record.push(b'\n');
    writer.append(n, n + 1, &record)?;
    writer.close().map_err(failed)
}
