//! A keeper that goes on as the build that has proven itself, in the same process.
//!
//! It keeps its process id, so that whoever started it (systemd) sees nothing, its child the supervisor, the listening
//! sockets and its lock. Only a build that the supervisor has remembered as proven is taken, and only after it was tried
//! beside us with a copy of what it would take over; one that refuses is tried again much later.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    net::TcpListener,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use nodepanel_types::{Millis, clock::Clock};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::warn;

use super::{Keeper, KeeperError, KeeperPlan};
use crate::{
    build::{Builds, Print},
    control::{Control, ControlError},
    lock::InstallationLock,
    process::{
        Identity, Process,
        succession::{
            CAN_GO_ON, Package, SUCCESSION, become_successor, hold_signals, let_signals_in, monotonic_ns, try_successor,
        },
    },
    run_dir::RunDir,
    sockets::Sockets,
    worker_log::WorkerLog,
};

/// The newest form of [`Estate`].
const FORM: u32 = 1;
/// When a build that did not go on is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// How long a signal that came before they were held may take from its handler to the loop.
const ON_ITS_WAY: Duration = Duration::from_millis(1);
/// How long the supervisor may take to be told.
const TELLING: Duration = Duration::from_secs(15);

/// What a keeper leaves to the next image of itself; its lock and its sockets come with it, in this order.
#[derive(Debug, Serialize, Deserialize)]
struct Estate {
    /// The form of this record.
    v: u32,
    /// The supervisor, which stays its child.
    supervisor: Identity,
    /// The names of the sockets.
    sockets: Vec<String>,
    /// What is run as the supervisor: where the program is installed.
    program: PathBuf,
    /// Which build the keeper goes on as.
    build: Print,
    /// When the last image stopped, in nanoseconds of the machine's monotonic clock.
    left_at_ns: u64,
}

/// What a keeper knows of builds of itself.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// Which build it is.
    build: Option<Print>,
    trial: Option<Trial>,
    /// One that did not go on, and when it is tried again.
    refused: Option<(Print, Instant)>,
}

#[derive(Debug)]
struct Trial {
    build: Print,
    verdict: JoinHandle<Result<(), String>>,
}

impl Renewal {
    /// Of a keeper that just begins.
    pub(super) fn new() -> Self {
        Self { build: Print::of("/proc/self/exe".as_ref()).ok(), ..Self::default() }
    }

    /// What became of the trial; never, when there is none.
    pub(super) async fn verdict(&mut self) -> Result<(), String> {
        match &mut self.trial {
            Some(trial) => (&mut trial.verdict).await.unwrap_or_else(|error| Err(error.to_string())),
            None => std::future::pending().await,
        }
    }
}

impl Keeper {
    /// Goes on as the next image of a keeper.
    pub async fn go_on(mut plan: KeeperPlan, clock: Arc<dyn Clock>) -> Result<Self, KeeperError> {
        let (estate, lock, sockets) = receive().map_err(KeeperError::Left)?;
        plan.program = estate.program;
        let files = |what, path: PathBuf| move |source| KeeperError::Files { what, path, source };
        let run_dir = RunDir::create(&plan.data_dir).map_err(files("create", RunDir::path_in(&plan.data_dir)))?;
        let log = WorkerLog::open(&plan.data_dir, "supervisor")
            .map_err(files("open the logs in", WorkerLog::directory(&plan.data_dir)))?;
        // One that has ended meanwhile waits for us to collect it, and is among those that are found.
        let supervisor = Process::open(estate.supervisor.pid)?.filter(|found| *found.identity() == estate.supervisor);
        let supervisor = supervisor.ok_or(KeeperError::Left(io::ErrorKind::NotFound.into()))?;
        let took_ms = monotonic_ns().saturating_sub(estate.left_at_ns) / 1_000_000;
        tokio::spawn(tell(plan.data_dir.clone(), took_ms));
        let renewal = Renewal { build: Some(estate.build), ..Renewal::default() };
        let mut keeper = Self { plan, clock, run_dir, sockets, log, supervisor, found: true, renewal, lock };
        keeper.complete_sockets().await;
        Ok(keeper)
    }

    /// Tells on standard output whether this build could go on from what was left to it, and does nothing else.
    pub fn can_go_on() -> Result<(), KeeperError> {
        receive().map_err(KeeperError::Left)?;
        let mut stdout = io::stdout();
        stdout.write_all(CAN_GO_ON).and_then(|()| stdout.flush()).map_err(KeeperError::Left)
    }

    /// Begins to try the installed build, when that is proven and another one than this.
    pub(super) fn look_for_build(&mut self) {
        if self.plan.command.is_empty() || self.renewal.trial.is_some() {
            return;
        }
        let Ok(build) = Print::of(&self.plan.program) else { return };
        let too_soon = self.renewal.refused.is_some_and(|(refused, again)| refused == build && Instant::now() < again);
        if self.renewal.build == Some(build) || too_soon || !Builds::open(&self.plan.data_dir).is_proven(build) {
            return;
        }
        match self.package(build) {
            Ok(package) => {
                let (program, args) = (self.plan.program.clone(), self.plan.command.clone());
                let verdict = tokio::spawn(async move {
                    let env: [(OsString, OsString); 1] = [(SUCCESSION.into(), "try".into())];
                    try_successor(&program, &args, &env, package).await
                });
                self.renewal.trial = Some(Trial { build, verdict });
            }
            Err(error) => self.stay(build, &format!("what it keeps cannot be packed ({error})")),
        }
    }

    /// Goes on as the build that was tried; comes back only when that came to nothing. A keeper that was asked to end
    /// does not.
    pub(super) async fn decide(&mut self, verdict: Result<(), String>, asked: bool, interrupts: &mpsc::Receiver<()>) {
        let Some(Trial { build, .. }) = self.renewal.trial.take().filter(|_| !asked) else { return };
        let why = match verdict {
            Ok(()) => match self.replace(build, interrupts).await {
                Ok(()) => return,
                Err(error) => format!("it cannot be run ({error})"),
            },
            Err(why) => why,
        };
        self.stay(build, &why);
    }

    /// `Ok` when an interrupt came first, which goes before.
    async fn replace(&mut self, build: Print, interrupts: &mpsc::Receiver<()>) -> io::Result<()> {
        hold_signals()?;
        sleep(ON_ITS_WAY).await;
        let replaced = if interrupts.is_empty() { self.become_build(build) } else { Ok(()) };
        let_signals_in()?;
        replaced
    }

    fn become_build(&self, build: Print) -> io::Result<()> {
        if Print::of(&self.plan.program)? != build {
            return Err(io::Error::other("another program is in its place by now"));
        }
        let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        environment.retain(|(name, _)| name != SUCCESSION);
        environment.push((SUCCESSION.into(), "go on".into()));
        let package = self.package(build)?;
        Err(become_successor(&self.plan.program, &self.plan.command, &environment, package))
    }

    fn stay(&mut self, build: Print, why: &str) {
        warn!("the keeper stays the build that it is: the new one cannot take over, {why}");
        self.renewal.refused = Some((build, Instant::now() + AGAIN));
    }

    fn package(&self, build: Print) -> io::Result<OwnedFd> {
        let (names, sockets): (Vec<String>, Vec<BorrowedFd<'_>>) =
            self.sockets.iter().map(|(name, socket)| (name.to_owned(), socket.as_fd())).unzip();
        let supervisor = self.supervisor.identity().clone();
        let program = self.plan.program.clone();
        let left_at_ns = monotonic_ns();
        let estate = Estate { v: FORM, supervisor, sockets: names, program, build, left_at_ns };
        let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(self.lock.as_fd()).chain(sockets).collect();
        Package::pack(&serde_json::to_vec(&estate)?, &descriptors)
    }
}

/// Has the supervisor record it.
async fn tell(data_dir: PathBuf, took_ms: Millis) {
    let told = async {
        while let Err(error) = try_tell(&data_dir, took_ms).await {
            tracing::debug!(%error, "the supervisor cannot be told yet");
            sleep(ON_ITS_WAY * 100).await;
        }
    };
    // It is not worth more than that.
    let _ = timeout(TELLING, told).await;
}

async fn try_tell(data_dir: &Path, took_ms: Millis) -> Result<(), ControlError> {
    Control::connect(data_dir).await?.keeper_renewed(took_ms).await
}

fn receive() -> io::Result<(Estate, InstallationLock, Sockets)> {
    let Package { record, descriptors } = Package::receive()?;
    let estate = parse(&record)?;
    let mut descriptors = descriptors.into_iter();
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "a descriptor is missing");
    let lock = InstallationLock::from(descriptors.next().ok_or_else(missing)?);
    let mut sockets = Sockets::default();
    for name in &estate.sockets {
        sockets.insert(name.clone(), TcpListener::from(descriptors.next().ok_or_else(missing)?));
    }
    Ok((estate, lock, sockets))
}

fn parse(record: &[u8]) -> io::Result<Estate> {
    let estate: Estate = serde_json::from_slice(record)?;
    if estate.v > FORM {
        let text = format!("what is left to this build has form {}, and it knows up to {FORM}", estate.v);
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    Ok(estate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first build with this feature left, and a field of the future.
    const FORM_1: &str = r#"{"v":1,"supervisor":{"pid":7,"start_ticks":9,"boot_id":"b"},"sockets":["http","link"],
        "program":"/usr/bin/nodepanel","build":{"size":3,"modified_s":4,"modified_ns":5},"left_at_ns":6,"of_the_future":true}"#;

    #[test]
    fn the_first_form_stays_readable_and_a_later_one_is_refused() {
        let estate = parse(FORM_1.as_bytes()).unwrap();
        assert_eq!((estate.supervisor.pid, estate.sockets.len()), (7, 2));
        let error = parse(FORM_1.replacen("\"v\":1", "\"v\":2", 1).as_bytes()).unwrap_err().to_string();
        assert!(error.contains("form 2"), "{error}");
    }
}
