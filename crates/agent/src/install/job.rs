//! One attempt of an installation, from its turn to its outcome.

use std::{fs, io, path::PathBuf, sync::Arc};

use nodepanel_shim::Subject;
use nodepanel_types::{
    Timestamp,
    wire::{ConsoleMode, DesiredServer, FileSpec, InstallStep, Ready, StopWay},
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    files, packages,
    run::{self, StepEnd},
};
use crate::{
    cgroup::Group,
    node::Node,
    plan,
    policy::duration,
    runtime::{Recovered, RunOrder, RunPlace},
    server::{Feed, Server},
};

/// What a job installs.
pub struct JobConfig {
    /// The node.
    pub node: Arc<Node>,
    /// The server.
    pub server: Arc<Server>,
    /// What it should be.
    pub desired: Arc<DesiredServer>,
    /// When the attempt began; it may have begun under an earlier agent.
    pub started_at: Timestamp,
    /// Counts attempts from 1.
    pub attempt: u32,
    /// Takes up an attempt that an earlier agent began.
    pub resumed: bool,
}

/// What a job does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// In words.
    pub step: String,
    /// 0 to 100.
    pub percent: u8,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What went wrong and what to do, in words.
    pub failure: Option<String>,
    /// Whether trying again could help.
    pub retry: bool,
}

/// A job that runs.
pub struct Job {
    /// What it does.
    pub status: watch::Receiver<Status>,
    /// Ends it.
    pub cancel: CancellationToken,
    /// How it ended.
    pub done: JoinHandle<Outcome>,
}

impl Job {
    /// Starts the job as a task of its own.
    pub fn start(config: JobConfig) -> Self {
        let first = Status { step: "waiting for another installation on this node".to_owned(), percent: 0 };
        let (sender, status) = watch::channel(first);
        let cancel = CancellationToken::new();
        let done = tokio::spawn(run(config, sender, cancel.clone()));
        Self { status, cancel, done }
    }
}

/// What the steps of a job share.
pub(super) struct Running<'a> {
    pub(super) node: &'a Node,
    pub(super) server: &'a Server,
    pub(super) cancel: &'a CancellationToken,
    pub(super) deadline: Instant,
}

/// The directory of the step that installs packages; the others are numbered.
const PACKAGES: &str = "packages";

/// A step and the name of its directory.
struct Step {
    place: String,
    work: Work,
}

/// One thing to do.
enum Work {
    Packages(Vec<String>),
    Program { title: String, command: Vec<String>, env: std::collections::BTreeMap<String, String> },
    File(FileSpec),
}

impl Work {
    fn title(&self) -> String {
        match self {
            Self::Packages(missing) => format!("Installing packages of the host: {}", missing.join(", ")),
            Self::Program { title, .. } => title.clone(),
            Self::File(file) => format!("Writing {}", file.path),
        }
    }
}

async fn run(config: JobConfig, status: watch::Sender<Status>, cancel: CancellationToken) -> Outcome {
    let turn = Arc::clone(&config.node.installs).acquire_owned();
    let Some(Ok(_turn)) = cancel.run_until_cancelled(turn).await else { return cancelled() };
    config.server.install().send_replace(Feed::Pause);
    let outcome = install(&config, &status, &cancel).await;
    if outcome.failure.is_none() {
        let (marker, serial) = (config.server.layout.installed(), config.desired.install_serial);
        let write = move || {
            marker.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&marker, serial.to_string())
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
            tracing::warn!(server.id = %config.server.id, %error, "The mark of a finished installation cannot be written");
        }
    }
    let words = outcome.failure.as_ref().map_or_else(
        || "The installation is complete.".to_owned(),
        |failure| format!("The installation failed: {failure}"),
    );
    run::say(&config.server.layout.install_log(), config.node.clock.now(), words).await;
    config.server.install().send_replace(Feed::Closed);
    outcome
}

async fn install(config: &JobConfig, status: &watch::Sender<Status>, cancel: &CancellationToken) -> Outcome {
    let (node, server, desired) = (&config.node, &config.server, &config.desired);
    let spent = node.clock.now().since(config.started_at);
    let left = desired.install_timeout_ms.saturating_sub(spent).max(1);
    let job = Running { node, server, cancel, deadline: Instant::now() + std::time::Duration::from_millis(left) };
    if !config.resumed
        && let Err(error) = clear(&job, config.attempt).await
    {
        return failed(format!("the directories of the server cannot be prepared ({error})."), true);
    }
    if let Err(error) = crate::server::make_home(node, server).await {
        return failed(format!("the directory of the server cannot be made ({error})."), true);
    }
    let packages_place = place(server, PACKAGES);
    let begun = config.resumed && packages_place.state_dir.exists();
    let work = match list(desired, begun).await {
        Ok(work) => work,
        Err(reason) => return failed(reason, true),
    };
    let total = work.len();
    let log = server.layout.install_log();
    for (index, step) in work.iter().enumerate() {
        let title = step.work.title();
        let percent = u8::try_from(index * 100 / total.max(1)).unwrap_or(100);
        status.send_replace(Status { step: format!("{title} (step {} of {total})", index + 1), percent });
        let place = place(server, &step.place);
        let taken_up = config.resumed && !matches!(step.work, Work::File(_));
        if !taken_up {
            run::say(&log, node.clock.now(), format!("Step {} of {total}: {title}", index + 1)).await;
        }
        let end = match &step.work {
            Work::File(file) => write(server, node.own_users, file.clone()).await,
            Work::Packages(missing) if !rustix::process::geteuid().is_root() => {
                return failed(packages::ask_the_operator(missing), false);
            }
            Work::Packages(missing) => {
                let turn = node.packages.lock();
                let Some(_turn) = cancel.run_until_cancelled(turn).await else { return cancelled() };
                run::run(&job, package_order(server, place, missing), &title, config.resumed).await
            }
            Work::Program { command, env, .. } => {
                let order = order(node, server, desired, place, command.clone(), env.clone());
                run::run(&job, order, &title, config.resumed).await
            }
        };
        match end {
            StepEnd::Done => {}
            StepEnd::Failed(reason) => return failed(reason, true),
            StepEnd::Cancelled => return cancelled(),
            StepEnd::TimedOut => {
                let limit = duration(desired.install_timeout_ms);
                return failed(
                    format!("it took longer than {limit} and was ended during \u{201c}{title}\u{201d}."),
                    false,
                );
            }
        }
    }
    Outcome { failure: None, retry: false }
}

/// What there is to do, in order.
async fn list(desired: &DesiredServer, packages_begun: bool) -> Result<Vec<Step>, String> {
    let mut work = Vec::new();
    let mut wanted = desired.packages.clone();
    wanted.extend(packages::for_missing_programs(&desired.programs));
    wanted.sort();
    wanted.dedup();
    let missing = packages::missing(&wanted).await?;
    if packages_begun {
        // Half of them may be there by now: the program that installs them is taken up, not judged by what it did.
        work.push(Step { place: PACKAGES.to_owned(), work: Work::Packages(wanted) });
    } else if !missing.is_empty() {
        work.push(Step { place: PACKAGES.to_owned(), work: Work::Packages(missing) });
    }
    work.extend(desired.install.iter().enumerate().map(|(index, step)| {
        let work = match step {
            InstallStep::Run { title, command, env } => {
                Work::Program { title: title.clone(), command: command.clone(), env: env.clone() }
            }
            InstallStep::File { file } => Work::File(file.clone()),
        };
        Step { place: index.to_string(), work }
    }));
    Ok(work)
}

fn place(server: &Server, step: &str) -> RunPlace {
    RunPlace {
        server: server.id,
        state_dir: server.layout.install_steps().join(step),
        log_dir: server.layout.install_log(),
    }
}

fn order(
    node: &Node,
    server: &Server,
    desired: &DesiredServer,
    place: RunPlace,
    command: Vec<String>,
    env: std::collections::BTreeMap<String, String>,
) -> RunOrder {
    RunOrder {
        place,
        subject: Subject::Step,
        home: server.layout.files(),
        command,
        env,
        console: ConsoleMode::Pipe,
        ready: Ready::Spawned,
        ready_timeout_ms: 1_000,
        endpoints: Vec::new(),
        stop: StopWay::Signal { signal: 15 },
        stop_timeout_ms: 5_000,
        user: node.own_users.then_some(server.uid),
        group: Group::of(&node.groups, server.id).map(|group| (group, desired.limits)),
        confined: true,
        read_paths: desired.launch.read_paths.iter().map(PathBuf::from).collect(),
    }
}

fn package_order(server: &Server, place: RunPlace, missing: &[String]) -> RunOrder {
    let mut command = vec!["/bin/sh".to_owned(), "-c".to_owned(), packages::SCRIPT.to_owned(), "sh".to_owned()];
    command.extend(missing.iter().cloned());
    RunOrder {
        place,
        subject: Subject::Step,
        home: server.layout.files(),
        command,
        env: [("DEBIAN_FRONTEND", "noninteractive"), ("TMPDIR", "/tmp"), ("HOME", "/root")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        console: ConsoleMode::Pipe,
        ready: Ready::Spawned,
        ready_timeout_ms: 1_000,
        endpoints: Vec::new(),
        stop: StopWay::Signal { signal: 15 },
        stop_timeout_ms: 60_000,
        user: None,
        group: None,
        confined: false,
        read_paths: Vec::new(),
    }
}

/// Removes what an earlier attempt left; its log too when the installation begins.
async fn clear(job: &Running<'_>, attempt: u32) -> io::Result<()> {
    let steps = job.server.layout.install_steps();
    let left = fs::read_dir(&steps).into_iter().flatten().flatten();
    for entry in left {
        let place = place(job.server, &entry.file_name().to_string_lossy());
        if let Ok(Recovered::Running(run)) = job.node.runtime.recover(&place).await {
            let _ = run.kill().await;
            run.release().await;
        }
    }
    let log = job.server.layout.install_log();
    let work = move || {
        remove(&steps)?;
        if attempt <= 1 { remove(&log) } else { Ok(()) }
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn remove(directory: &std::path::Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn write(server: &Server, own_user: bool, file: FileSpec) -> StepEnd {
    let (root, owner) = (server.layout.files(), own_user.then_some(server.uid));
    match tokio::task::spawn_blocking(move || files::write_file(&root, &file, owner)).await {
        Ok(Ok(())) => StepEnd::Done,
        Ok(Err(error)) => StepEnd::Failed(match std::error::Error::source(&error) {
            Some(source) => format!("{error} ({source})."),
            None => format!("{error}."),
        }),
        Err(_) => StepEnd::Failed("the agent is shutting down.".to_owned()),
    }
}

fn failed(reason: impl Into<String>, retry: bool) -> Outcome {
    Outcome { failure: Some(reason.into()), retry }
}

fn cancelled() -> Outcome {
    failed(plan::CANCELLED, false)
}
