//! How a keeper begins: it takes over a supervisor that runs, or binds the sockets and starts one.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::clock::Clock;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::{Keeper, KeeperError, KeeperPlan, renewal::Renewal};
use crate::{
    build::{Builds, Choice, INSTALLED, Print},
    control::{Control, ControlError},
    lock::{InstallationLock, Single},
    process::{Ending, Launch, Process, ProcessError},
    record::Record,
    run_dir::RunDir,
    sockets::{BindError, PREDECESSOR, Predecessor, Sockets, bind},
    worker_log::WorkerLog,
};

/// How long a supervisor may take to answer for the first time.
const FIRST_ANSWER: Duration = Duration::from_secs(15);
/// Between two tries to reach it.
const RETRY: Duration = Duration::from_millis(20);
/// How much of its log is shown when it does not start, in bytes.
const LAST_WORDS: u64 = 2_000;

impl Keeper {
    /// Takes over the supervisor of the installation, or binds the sockets and starts one; returns when it answers.
    pub async fn begin(plan: KeeperPlan, clock: Arc<dyn Clock>) -> Result<Self, KeeperError> {
        let files = |what, path: PathBuf| move |source| KeeperError::Files { what, path, source };
        let run_dir = RunDir::create(&plan.data_dir).map_err(files("create", RunDir::path_in(&plan.data_dir)))?;
        let lock = InstallationLock::take(Single::Keeper, &plan.data_dir, run_dir.path()).await?;
        let log = WorkerLog::open(&plan.data_dir, "supervisor")
            .map_err(files("open the logs in", WorkerLog::directory(&plan.data_dir)))?;
        let log_length = fs::metadata(Self::log_path(&plan.data_dir)).map_or(0, |log| log.len());
        let record = Record::read(run_dir.path()).unwrap_or_else(|_| Record::empty());
        let running = record.supervisor.identity.as_ref().map(Process::adopt).transpose()?.flatten();
        let found = running.is_some();
        let (supervisor, sockets) = if let Some(supervisor) = running {
            info!(process.pid = supervisor.pid(), "a supervisor runs already; keeping it");
            (supervisor, Sockets::default())
        } else {
            let sockets = bind_all(&plan, &record)?;
            (start_supervisor(&plan, &sockets, &log, None, false)?, sockets)
        };
        let renewal = Renewal::new();
        let mut keeper = Self { plan, clock, run_dir, sockets, log, supervisor, found, renewal, lock };
        keeper.first_answer(log_length).await?;
        keeper.complete_sockets().await;
        Ok(keeper)
    }

    /// Waits until the supervisor answers. One that is killed meanwhile is started again; one that exits has said
    /// why it cannot run.
    async fn first_answer(&mut self, log_length: u64) -> Result<(), KeeperError> {
        let log = Self::log_path(&self.plan.data_dir);
        let deadline = Instant::now() + FIRST_ANSWER;
        loop {
            if let Ok(mut control) = Control::connect(&self.plan.data_dir).await
                && control.status().await.is_ok()
                && control.keeping().await.is_ok()
            {
                return Ok(());
            }
            let late = Instant::now() > deadline;
            match timeout(RETRY, self.supervisor.ended()).await {
                Err(_) if late => return Err(KeeperError::Silent { pid: self.supervisor.pid(), log }),
                Err(_) => {}
                Ok(ending) => match ending? {
                    // It was stopped already, which `keep` finds out too.
                    Ending::Exited { code: 0 } => return Ok(()),
                    ending @ (Ending::Killed { .. } | Ending::Unknown) if !late => {
                        let predecessor = Predecessor { ended_at: self.clock.now(), how: ending.to_string() };
                        sleep(RETRY).await;
                        self.supervisor = self.start_again(&predecessor, false)?;
                    }
                    ending => {
                        let last_words = last_words(&log, log_length);
                        return Err(KeeperError::FirstStart { ending, last_words, log });
                    }
                },
            }
        }
    }

    /// Gets copies of the sockets that this keeper could not bind, because others of the installation hold them.
    pub(super) async fn complete_sockets(&mut self) {
        if self.plan.sockets.iter().all(|spec| self.sockets.get(&spec.name).is_some()) {
            return;
        }
        match ask_for_sockets(&self.plan.data_dir).await {
            Ok(mut copies) => {
                for spec in &self.plan.sockets {
                    if let Some(copy) = copies.take(&spec.name).filter(|_| self.sockets.get(&spec.name).is_none()) {
                        self.sockets.insert(spec.name.clone(), copy);
                    }
                }
            }
            Err(error) => warn!(%error, "cannot get copies of the listening sockets yet"),
        }
    }

    /// Starts the supervisor again after `predecessor`; when it fails again and again, one of the last good build.
    pub(super) fn start_again(&self, predecessor: &Predecessor, failing: bool) -> Result<Process, ProcessError> {
        start_supervisor(&self.plan, &self.sockets, &self.log, Some(predecessor), failing)
    }
}

async fn ask_for_sockets(data_dir: &Path) -> Result<Sockets, ControlError> {
    Control::connect(data_dir).await?.take_sockets().await
}

/// Binds what is free. What workers of this installation still hold is left to them: the supervisor gets it from
/// them, and the keeper from the supervisor.
fn bind_all(plan: &KeeperPlan, record: &Record) -> Result<Sockets, KeeperError> {
    let survived = record.anything_runs();
    let mut sockets = Sockets::default();
    for spec in &plan.sockets {
        match bind(spec) {
            Ok(socket) => sockets.insert(spec.name.clone(), socket),
            Err(BindError::InUse { .. }) if survived => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sockets)
}

fn start_supervisor(
    plan: &KeeperPlan,
    sockets: &Sockets,
    log: &WorkerLog,
    predecessor: Option<&Predecessor>,
    failing: bool,
) -> Result<Process, ProcessError> {
    let program = program(plan, predecessor, failing);
    let failed = |source| ProcessError::Start { program: program.clone(), source };
    let mut launch = Launch::new(&program)
        .envs([(INSTALLED, &plan.program)])
        .args(&plan.args)
        .envs(plan.env.iter().cloned())
        .stdout(log.stream().map_err(failed)?)
        .stderr(log.stream().map_err(failed)?);
    if let Some(predecessor) = predecessor {
        let text = serde_json::to_string(predecessor).map_err(|error| failed(error.into()))?;
        launch = launch.envs([(PREDECESSOR, text)]);
    }
    for (name, socket) in sockets.iter() {
        launch = launch.socket(name, socket.try_clone().map_err(failed)?);
    }
    launch.start()
}

/// The installed program, or the last good build where the installed one was refused or fails before it was proven.
fn program(plan: &KeeperPlan, predecessor: Option<&Predecessor>, failing: bool) -> PathBuf {
    let installed = Print::of(&plan.program).ok();
    let mut builds = Builds::open(&plan.data_dir);
    match (builds.choose(installed), installed) {
        (Choice::Refused { good, .. }, _) => good,
        (Choice::OnProbation { good: Some(good) }, Some(print)) if failing => {
            let how = predecessor.map_or("failed", |predecessor| predecessor.how.as_str());
            error!("the supervisor of the new build {how} again and again; returning to the last good one");
            if let Err(error) = builds.refuse(print, &format!("the supervisor {how} again and again")) {
                warn!(%error, "cannot remember that the new build was refused");
            }
            good
        }
        _ => plan.program.clone(),
    }
}

/// Waits for a supervisor to answer and asks it to stop everything.
pub(super) async fn ask_to_stop(data_dir: PathBuf, servers: bool) {
    loop {
        if let Ok(mut control) = Control::connect(&data_dir).await
            && control.stop(servers).await.is_ok()
        {
            return;
        }
        sleep(RETRY).await;
    }
}

/// Tells the next supervisor who keeps it, as soon as it can be told; gives up when it never answers.
pub(super) async fn introduce(data_dir: PathBuf) {
    let introduced = async {
        loop {
            if let Ok(mut control) = Control::connect(&data_dir).await
                && control.keeping().await.is_ok()
            {
                return;
            }
            sleep(RETRY).await;
        }
    };
    // One that fails is started again, and told then.
    let _ = timeout(FIRST_ANSWER, introduced).await;
}

/// What the supervisor has written since the log had this length, the end of it.
fn last_words(log: &Path, length: u64) -> String {
    let read = || {
        let mut file = fs::File::open(log)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.max(end.saturating_sub(LAST_WORDS))))?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS).read_to_end(&mut bytes).map(|_| bytes)
    };
    let words = String::from_utf8_lossy(&read().unwrap_or_default()).trim().to_owned();
    if words.is_empty() { "none".to_owned() } else { words }
}
