//! Keeps a member running: starts it, takes over the one that its predecessor left, and ends one that hangs.

use std::{
    fs::{self, File, OpenOptions},
    future::Future,
    io,
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use nodepanel_store::{EtcdBackend, EtcdOptions, EtcdTls, StoreError};
use nodepanel_supervise::{
    policy::{Backoff, Life, decide as next_start},
    process::{Ending, Launch, Process, ProcessError, Signal},
};
use nodepanel_types::{Millis, Timestamp, clock::Clock};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{EtcdProgram, MemberFile, MemberFileError, MemberPlace, ProgramError, Refusal, Start, arguments, decide};

/// How often the member is asked how it is.
const LOOK: Duration = Duration::from_millis(250);
/// A member that has answered before and is silent for so long hangs. A slow disk holds it up for two seconds.
const HUNG: Duration = Duration::from_secs(3);
/// How long it may take to end by itself.
const FINISH: Duration = Duration::from_secs(5);
/// When a start that was refused is tried again: somebody may have mounted the disk.
const REFUSED: Duration = Duration::from_secs(2);
/// Tells which member a process is: also to a keeper that comes after the one that started it.
const MARK: &str = "NODEPANEL_MEMBER";
/// What etcd says is kept up to this size, twice.
const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// How far back its last words are looked for.
const LAST_BYTES: u64 = 8 * 1024;

/// What a keeper needs.
pub struct KeeperConfig {
    /// Where the member's parts are.
    pub place: MemberPlace,
    /// Who it is.
    pub file: MemberFile,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// How a member is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberState {
    /// Its process.
    pub pid: Option<u32>,
    /// When that was started, or taken over.
    pub since: Option<Timestamp>,
    /// Why it cannot do its work now, as a sentence; `None` while it does.
    pub doubt: Option<String>,
    /// How often it ended without being asked to, in the life of this keeper.
    pub ends: u64,
    /// How the process before this one ended.
    pub last_exit: Option<String>,
    /// From that end to its work again, in milliseconds.
    pub last_recovery_ms: Option<Millis>,
}

/// Keeps one member.
pub struct MemberKeeper {
    config: KeeperConfig,
    /// Asks this member, and no other one.
    own: EtcdBackend,
    state: watch::Sender<MemberState>,
}

/// Why a member does not run.
#[derive(Debug, thiserror::Error)]
enum Unstarted {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    File(#[from] MemberFileError),
    #[error("etcd cannot be started: {0}")]
    Process(#[from] ProcessError),
    #[error("etcd's log cannot be opened: {0}")]
    Log(#[from] io::Error),
}

/// Why a member is looked after no longer.
enum End {
    Ended(Ending),
    Hung,
    Asked,
}

impl MemberKeeper {
    /// A keeper that has not begun. Has to be made within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The member's certificates cannot be read, or are none.
    pub fn new(config: KeeperConfig) -> Result<Self, StoreError> {
        let mut options = EtcdOptions::new([config.file.client_url()], format!("keeper-{}", config.file.name));
        if let Some(tls) = &config.file.tls {
            let read = |path: &Path| {
                fs::read_to_string(path).map_err(|error| StoreError::Unavailable {
                    reason: format!("{} cannot be read: {error}", path.display()),
                })
            };
            options.tls = Some(EtcdTls {
                ca: read(&tls.ca)?,
                certificate: read(&tls.certificate)?,
                key: read(&tls.key)?.into(),
                server_name: tls.server_name.clone(),
            });
        }
        let state = MemberState { doubt: Some("it is about to be started".to_owned()), ..MemberState::default() };
        Ok(Self { own: EtcdBackend::new(&options)?, config, state: watch::Sender::new(state) })
    }

    /// How the member is, now and from now on.
    pub fn state(&self) -> watch::Receiver<MemberState> {
        self.state.subscribe()
    }

    /// Keeps the member running until it is asked to end, and ends it then. A keeper that is dropped leaves it as it is,
    /// for the next one.
    pub async fn run(mut self, asked: impl Future<Output = ()> + Send) {
        let mut asked = pin!(asked);
        let mut lives = Vec::new();
        let mut lost_at = None;
        loop {
            let process = match self.take_over_or_start().await {
                Ok(process) => process,
                Err(error) => {
                    self.doubt(error.to_string());
                    tokio::select! {
                        () = asked.as_mut() => return,
                        () = sleep(REFUSED) => continue,
                    }
                }
            };
            let begun = Instant::now();
            let (now, pid) = (self.config.clock.now(), process.pid());
            self.state.send_modify(|state| (state.pid, state.since) = (Some(pid), Some(now)));
            let mut ready_at = None;
            let end = self.watch(&process, &mut ready_at, &mut lost_at, asked.as_mut()).await;
            let ending = match end {
                End::Asked => return finish(&process).await,
                End::Ended(ending) => match last_words(&self.config.place.log()) {
                    Some(words) if !ending.is_success() => format!("{ending} ({words})"),
                    _ => ending.to_string(),
                },
                End::Hung => {
                    let _ = process.signal(Signal::KILL);
                    let _ = process.ended().await;
                    format!("did not answer for {} s and was killed", HUNG.as_secs())
                }
            };
            self.forget_a_start_that_left_nothing();
            lost_at = Some(Instant::now());
            lives.push(Life { ran_for: begun.elapsed(), ready_for: ready_at.map(|at: Instant| at.elapsed()) });
            let decision = next_start(&Backoff::OWN_PARTS, &lives);
            let drop_first = lives.len().saturating_sub(32);
            lives.drain(..drop_first);
            tracing::warn!("this host's member of the store {ending}; {}", decision.reason);
            self.state.send_modify(|state| {
                state.pid = None;
                state.doubt = Some(format!("it {ending}; {}", decision.reason));
                state.ends = state.ends.saturating_add(1);
                state.last_exit = Some(ending);
            });
            tokio::select! {
                () = asked.as_mut() => return,
                () = sleep(decision.delay) => {}
            }
        }
    }

    async fn take_over_or_start(&mut self) -> Result<Process, Unstarted> {
        let KeeperConfig { place, file, .. } = &mut self.config;
        if let Some(process) = running(&file.mark)? {
            tracing::info!(pid = process.pid(), "took over this host's member of the store");
            return Ok(process);
        }
        let program = EtcdProgram::examine(&file.program).await?;
        let start = decide(&file.mark, file.begun, &file.look(place)?)?;
        if start == Start::First || !file.begun {
            file.begin(place)?;
        }
        let log = open_log(&place.log())?;
        let launch = Launch::new(&program.path)
            .env_clear()
            .envs([(MARK, file.mark.as_str()), ("ETCD_UNSUPPORTED_ARCH", "arm64")])
            .args(arguments(file, place))
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(launch.start()?)
    }

    /// Looks after a process until it ends, hangs, or this keeper is asked to end.
    async fn watch(
        &self,
        process: &Process,
        ready_at: &mut Option<Instant>,
        lost_at: &mut Option<Instant>,
        mut asked: impl Future<Output = ()> + Send + Unpin,
    ) -> End {
        let mut heard = Instant::now();
        loop {
            let status = async {
                let status = self.own.statuses().await.pop();
                status.map_or_else(|| Err("nobody was asked".to_owned()), |(_, status)| status)
            };
            tokio::select! {
                ended = process.ended() => return End::Ended(ended.unwrap_or(Ending::Unknown)),
                () = &mut asked => return End::Asked,
                status = status => match status {
                    Ok(status) => {
                        heard = Instant::now();
                        ready_at.get_or_insert(heard);
                        self.serves(status.leader.is_some(), lost_at);
                    }
                    Err(_) if ready_at.is_some() && heard.elapsed() > HUNG => return End::Hung,
                    Err(reason) => self.doubt(format!("it does not answer: {reason}")),
                },
            }
            tokio::select! {
                ended = process.ended() => return End::Ended(ended.unwrap_or(Ending::Unknown)),
                () = &mut asked => return End::Asked,
                () = sleep(LOOK) => {}
            }
        }
    }

    fn serves(&self, led: bool, lost_at: &mut Option<Instant>) {
        if !led {
            self.doubt("it cannot reach a majority of the store's members, so nothing can be written".to_owned());
            return;
        }
        let recovery = lost_at.take().map(|at| Millis::try_from(at.elapsed().as_millis()).unwrap_or(Millis::MAX));
        self.state.send_if_modified(|state| {
            let changed = state.doubt.is_some() || recovery.is_some();
            state.doubt = None;
            state.last_recovery_ms = recovery.or(state.last_recovery_ms);
            changed
        });
    }

    fn doubt(&self, why: String) {
        self.state.send_if_modified(|state| {
            let changed = state.doubt.as_ref() != Some(&why);
            if changed {
                tracing::warn!("this host's member of the store: {why}");
            }
            state.doubt = Some(why);
            changed
        });
    }

    /// A first start that came to nothing (a port that is taken, say) has said nothing to anybody: it is still to come.
    fn forget_a_start_that_left_nothing(&mut self) {
        let KeeperConfig { place, file, .. } = &mut self.config;
        let came_up = self.state.borrow().doubt.is_none();
        if !came_up && file.begun && file.look(place).is_ok_and(|found| !found.has_data) {
            file.begun = false;
            // If it cannot be written, the next start is refused: safe, and said.
            let _ = file.write(place);
        }
    }
}

/// The process of a member that runs, whoever started it.
fn running(mark: &str) -> Result<Option<Process>, Unstarted> {
    let variable = format!("{MARK}={mark}");
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Those of others cannot be read, and are not ours.
        let is_it = || {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
        };
        if !is_it() {
            continue;
        }
        // Looked at again once it is held: the number may have changed hands.
        if let Some(process) = Process::open(pid)?.filter(|process| is_it() && process.is_running()) {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// Asks it to end, and insists after a while.
async fn finish(process: &Process) {
    let _ = process.signal(Signal::TERM);
    if timeout(FINISH, process.ended()).await.is_err() {
        let _ = process.signal(Signal::KILL);
        let _ = process.ended().await;
    }
}

/// The last thing that etcd said before it ended: `msg` and `error` of a line of its log, or the line itself.
fn last_words(log: &Path) -> Option<String> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES))).ok()?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let line = end.lines().rev().find(|line| line.starts_with('{') || line.starts_with("error"))?;
    let said = match serde_json::from_str::<Said>(line) {
        Ok(Said { msg, error: Some(error) }) => format!("{msg}: {error}"),
        Ok(Said { msg, error: None }) => msg,
        Err(_) => line.to_owned(),
    };
    Some(said.chars().take(200).collect())
}

/// A line of etcd's log.
#[derive(serde::Deserialize)]
struct Said {
    msg: String,
    error: Option<String>,
}

fn open_log(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
