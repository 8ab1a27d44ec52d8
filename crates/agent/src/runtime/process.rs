//! Runs servers as processes of this machine, each kept by a shim: a re-executed `nodepanel` that outlives us.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use nodepanel_shim::{
    ClientError, ShimSpec, place,
    protocol::LISTENING,
    spec::{Confinement, LogSpec, Rlimits, SPEC_VERSION, UserIds},
};
use nodepanel_supervise::process::{Launch, Process, Signal};
use nodepanel_types::{
    ServerId,
    clock::{Clock, IdSource},
};
use tokio::{io::AsyncReadExt as _, net::unix::pipe, time::timeout};

use super::{Recovered, RunEnd, RunOrder, RunPlace, Running, Runtime, RuntimeError, leftovers, shim_run::ShimRun};
use crate::cgroup::{Group, Hierarchies};

/// How long a shim may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How long a shim stays after its game has ended, for an agent that is down at that moment. Its exit file stays.
const LINGER_MS: u64 = 10_000;
/// Open files of a game's process.
const OPEN_FILES: u64 = 65_536;

/// What the runtime needs.
pub struct ProcessRuntimeConfig {
    /// The program that is a shim when it gets `shim_args`.
    pub program: PathBuf,
    /// The arguments before the path of the order; `["role", "shim", "--spec"]`.
    pub shim_args: Vec<OsString>,
    /// Where limits are set.
    pub groups: Arc<Hierarchies>,
}

/// The `process` runtime.
pub struct ProcessRuntime {
    config: Arc<ProcessRuntimeConfig>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl ProcessRuntime {
    /// A runtime; does nothing yet.
    pub fn new(config: ProcessRuntimeConfig, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { config: Arc::new(config), clock, ids }
    }

    fn groups_of(&self, server: ServerId) -> Vec<PathBuf> {
        Group::of(&self.config.groups, server).map(|group| group.directories()).unwrap_or_default()
    }
}

/// Prepares what a shim needs and starts it; also returns where it says that it can be asked. Blocks.
fn launch(
    config: &ProcessRuntimeConfig,
    order: &RunOrder,
    token: &str,
) -> Result<(Process, io::PipeReader), RuntimeError> {
    let state_dir = &order.place.state_dir;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| RuntimeError::Prepare { path, source }
    };
    for directory in [state_dir, &order.place.log_dir] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
    }
    place::forget_exit(state_dir).map_err(failed(state_dir))?;
    let token_file = state_dir.join("token");
    write_private(&token_file, token.as_bytes()).map_err(failed(&token_file))?;
    let spec_file = state_dir.join("spec.json");
    spec(order, &token_file).store(&spec_file).map_err(failed(&spec_file))?;
    if let Some((group, limits)) = &order.group {
        group.create(limits).map_err(|source| RuntimeError::Limits { source })?;
    }
    let log_file = state_dir.join("shim.log");
    let mut log = fs::OpenOptions::new();
    let log = log.create(true).write(true).truncate(true).mode(0o600).open(&log_file).map_err(failed(&log_file))?;
    let (word, told) = io::pipe().map_err(failed(state_dir))?;
    let child = Launch::new(&config.program)
        .args(&config.shim_args)
        .args([&spec_file])
        .current_dir("/")
        .stdout(told)
        .stderr(log)
        .start()
        .map_err(|source| RuntimeError::Keeper { source })?;
    Ok((child, word))
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn recover(&self, place: &RunPlace) -> Result<Recovered, RuntimeError> {
        let groups = self.groups_of(place.server);
        let state_dir = place.state_dir.clone();
        match blocking(move || find(&state_dir)).await? {
            Found::Nothing => Ok(Recovered::Nothing),
            Found::Lost => {
                leftovers::end_game(place.server, groups).await;
                Ok(Recovered::Lost)
            }
            Found::Ended(end) => Ok(Recovered::Ended(end)),
            Found::Alive { token } => {
                let run = ShimRun::attach(place.clone(), &token, groups, Arc::clone(&self.clock)).await?;
                Ok(Recovered::Running(run))
            }
        }
    }

    async fn start(&self, order: RunOrder) -> Result<Arc<dyn Running>, RuntimeError> {
        let config = Arc::clone(&self.config);
        let mut secret = [0; 32];
        self.ids.fill(&mut secret);
        let token = hex::encode(secret);
        let (order, token, child, word) = blocking(move || {
            let (child, word) = launch(&config, &order, &token)?;
            Ok((order, token, child, word))
        })
        .await?;
        let place = order.place;
        wait_for_word(&child, word, &place).await?;
        // Our child until we die: somebody must reap it.
        tokio::spawn(async move {
            let _ = child.ended().await;
        });
        let groups = order.group.map(|(group, _)| group.directories()).unwrap_or_default();
        let run = ShimRun::attach(place, &token, groups, Arc::clone(&self.clock)).await?;
        Ok(run)
    }

    async fn forget(&self, place: &RunPlace) {
        let (server, state_dir) = (place.server, place.state_dir.clone());
        let groups = self.groups_of(server);
        let work = move || {
            leftovers::remove_groups(&groups);
            // Without its order a run never was; so none can be missed.
            let order = match fs::remove_file(state_dir.join("spec.json")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
            place::forget_exit(&state_dir).and(order)
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!(%server, %error, "The record of how a run ended cannot be removed");
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.config.groups.warning().map(str::to_owned).into_iter().collect();
        if !rustix::process::geteuid().is_root() {
            warnings.push(
                "The agent does not run as root: all game servers run as the agent's own user, so that one can read \
                 and change the files of another. Run the agent as root to give each server a user of its own."
                    .to_owned(),
            );
        }
        warnings
    }
}

enum Found {
    Nothing,
    Alive { token: String },
    Ended(RunEnd),
    Lost,
}

fn find(state_dir: &Path) -> Result<Found, RuntimeError> {
    let failed = |source| RuntimeError::Prepare { path: state_dir.to_owned(), source };
    if place::is_alive(state_dir).map_err(failed)? {
        let token = fs::read_to_string(state_dir.join("token")).map_err(failed)?;
        return Ok(Found::Alive { token: token.trim().to_owned() });
    }
    if let Some(ended) = place::read_exit(state_dir).map_err(failed)? {
        return Ok(Found::Ended(ended.into()));
    }
    if state_dir.join("spec.json").try_exists().map_err(failed)? {
        return Ok(Found::Lost);
    }
    Ok(Found::Nothing)
}

fn spec(order: &RunOrder, token_file: &Path) -> ShimSpec {
    ShimSpec {
        v: SPEC_VERSION,
        server: order.place.server,
        subject: order.subject,
        dir: order.home.clone(),
        command: order.command.clone(),
        env: order.env.clone(),
        console: order.console,
        ready: order.ready.clone(),
        ready_timeout_ms: order.ready_timeout_ms,
        endpoints: order.endpoints.clone(),
        stop: order.stop.clone(),
        stop_timeout_ms: order.stop_timeout_ms,
        user: order.user.map(|id| UserIds { uid: id, gid: id }),
        cgroups: order.group.as_ref().map(|(group, _)| group.directories()).unwrap_or_default(),
        rlimits: Rlimits { open_files: Some(OPEN_FILES), core_bytes: Some(0), processes: None },
        confinement: Confinement {
            landlock: order.confined,
            read_paths: order.read_paths.clone(),
            ..Confinement::default()
        },
        state_dir: order.place.state_dir.clone(),
        token_file: token_file.to_owned(),
        log: LogSpec::new(&order.place.log_dir),
        first_line: 1,
        linger_ms: LINGER_MS,
    }
}

/// Waits until the shim says that it can be asked.
async fn wait_for_word(child: &Process, word: io::PipeReader, place: &RunPlace) -> Result<(), RuntimeError> {
    let failed = |source| RuntimeError::Prepare { path: place.state_dir.clone(), source };
    let mut word = pipe::Receiver::from_owned_fd(word.into()).map_err(failed)?;
    let mut said = [0; LISTENING.len()];
    match timeout(START_DEADLINE, word.read_exact(&mut said)).await {
        Ok(Ok(_)) if said == LISTENING => Ok(()),
        Ok(_) => {
            // It has closed its end and said something else or nothing: it is about to end.
            let ending = timeout(START_DEADLINE, child.ended()).await;
            let ending = match ending {
                Ok(Ok(ending)) => ending.to_string(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it hangs".to_owned(),
            };
            let words = fs::read_to_string(place.state_dir.join("shim.log")).unwrap_or_default();
            let words = words.lines().last().unwrap_or("it said nothing").to_owned();
            end(child, place);
            Err(RuntimeError::KeeperEnded { ending, words })
        }
        Err(_) => {
            end(child, place);
            Err(RuntimeError::Silent { source: ClientError::TimedOut })
        }
    }
}

/// Ends a shim that cannot be used, and what it may have started.
fn end(child: &Process, place: &RunPlace) {
    leftovers::end_keeper(&place.state_dir);
    let _ = child.signal_group(Signal::KILL);
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, content)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RuntimeError::Closing)?
}
