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
    ShimClient, ShimSpec, place,
    spec::{Confinement, LogSpec, Rlimits, SPEC_VERSION, UserIds},
};
use nodepanel_supervise::process::{Launch, Process};
use nodepanel_types::clock::{Clock, IdSource};
use tokio::time::Instant;

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
    config: ProcessRuntimeConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl ProcessRuntime {
    /// A runtime; does nothing yet.
    pub fn new(config: ProcessRuntimeConfig, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Self {
        Self { config, clock, ids }
    }

    fn prepare(&self, order: &RunOrder) -> Result<(PathBuf, fs::File, String), RuntimeError> {
        let state_dir = &order.place.state_dir;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| RuntimeError::Prepare { path, source }
        };
        for directory in [state_dir, &order.place.log_dir] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
        }
        place::forget_exit(state_dir).map_err(failed(state_dir))?;
        let mut secret = [0; 32];
        self.ids.fill(&mut secret);
        let token = hex::encode(secret);
        let token_file = state_dir.join("token");
        write_private(&token_file, token.as_bytes()).map_err(failed(&token_file))?;
        let spec_file = state_dir.join("spec.json");
        spec(order, &token_file).store(&spec_file).map_err(failed(&spec_file))?;
        if let Some((group, limits)) = &order.group {
            group.create(limits).map_err(|source| RuntimeError::Limits { source })?;
        }
        let log_file = state_dir.join("shim.log");
        let log = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&log_file)
            .map_err(failed(&log_file))?;
        Ok((spec_file, log, token))
    }

    fn spawn(&self, spec_file: &Path, log: fs::File) -> Result<Process, RuntimeError> {
        Launch::new(&self.config.program)
            .args(&self.config.shim_args)
            .args([spec_file])
            .current_dir("/")
            .stderr(log)
            .start()
            .map_err(|source| RuntimeError::Keeper { source })
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn recover(&self, place: &RunPlace) -> Result<Recovered, RuntimeError> {
        let groups = Group::of(&self.config.groups, place.server).map(|group| group.directories()).unwrap_or_default();
        let state_dir = place.state_dir.clone();
        match blocking(move || find(&state_dir)).await? {
            Found::Nothing => Ok(Recovered::Nothing),
            Found::Lost => {
                leftovers::end_game(place.server, groups).await;
                Ok(Recovered::Lost)
            }
            Found::Ended(end) => Ok(Recovered::Ended(end)),
            Found::Alive { token } => {
                let client = ShimClient::connect(&place.state_dir, &token).await?;
                let run = ShimRun::follow(client, place.clone(), groups, Arc::clone(&self.clock)).await?;
                Ok(Recovered::Running(run))
            }
        }
    }

    async fn start(&self, order: RunOrder) -> Result<Arc<dyn Running>, RuntimeError> {
        // A few small files and one fork; a thread of the blocking pool would cost more than it saves.
        let (spec_file, log, token) = self.prepare(&order)?;
        let child = self.spawn(&spec_file, log)?;
        let place = order.place;
        let client = connect(&child, &place, &token).await?;
        // Our child until we die: somebody must reap it.
        tokio::spawn(async move {
            let _ = child.ended().await;
        });
        let groups = order.group.map(|(group, _)| group.directories()).unwrap_or_default();
        let run = ShimRun::follow(client, place, groups, Arc::clone(&self.clock)).await?;
        Ok(run)
    }

    async fn forget(&self, place: &RunPlace) {
        let (server, state_dir) = (place.server, place.state_dir.clone());
        let work = move || {
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

/// Connects as soon as the shim listens.
async fn connect(child: &Process, place: &RunPlace, token: &str) -> Result<ShimClient, RuntimeError> {
    let deadline = Instant::now() + START_DEADLINE;
    let mut pause = Duration::from_millis(1);
    loop {
        match ShimClient::connect(&place.state_dir, token).await {
            Ok(client) => return Ok(client),
            Err(source) if Instant::now() >= deadline => {
                leftovers::end_keeper(&place.state_dir);
                let _ = child.signal_group(nodepanel_supervise::process::Signal::KILL);
                return Err(source.into());
            }
            Err(_) => {}
        }
        if let Ok(ending) = tokio::time::timeout(pause, child.ended()).await {
            let ending = ending.map_or_else(|error| error.to_string(), |ending| ending.to_string());
            let words = fs::read_to_string(place.state_dir.join("shim.log")).unwrap_or_default();
            let words = words.lines().last().unwrap_or("it said nothing").to_owned();
            return Err(RuntimeError::KeeperEnded { ending, words });
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
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
