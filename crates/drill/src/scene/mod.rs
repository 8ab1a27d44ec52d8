//! The installation that a drill breaks: one of its own that is thrown away, or one that runs.

mod failing_disk;
mod ground;
mod host;
mod moved_clock;
mod part;
pub(crate) mod processes;
mod scratch;
mod slow_disk;
mod small_disk;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use nodepanel_supervise::{
    control::{Control, ControlError},
    wire::protocol::BuildState,
};
use nodepanel_types::component::{Component, ComponentState, Role};
use tokio::{
    process::Child,
    time::{Instant, sleep},
};

pub use failing_disk::FailingDisk;
pub use ground::Ground;
use ground::Prepared;
pub use host::Host;
pub use moved_clock::MovedClock;
pub use part::Part;
use scratch::Scratch;
pub use slow_disk::SlowDisk;
pub use small_disk::SmallDisk;

use crate::{
    error::DrillError,
    http::{Access, Bearer, Connection, Request, Try},
};

/// How long anything may take to come about before the drill is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long the announcement of an end holds.
const ANNOUNCED: Duration = Duration::from_secs(30);
/// How often the supervisor is asked while something is waited for.
const GLANCE: Duration = Duration::from_millis(5);
/// How often a new connection asks who answers.
const KNOCK: Duration = Duration::from_millis(1);
/// A knock that is not answered by then is made again: the process that took it may hang.
const KNOCK_PATIENCE: Duration = Duration::from_millis(500);

/// What `/readyz` says.
#[derive(serde::Deserialize)]
struct Readiness {
    ready: bool,
    process: u32,
}

/// An installation.
#[derive(Debug)]
pub struct Scene {
    access: Access,
    data_dir: PathBuf,
    scratch: Option<Scratch>,
}

impl Scene {
    /// Starts an installation of its own from this binary, on free ports of this machine and on the ground that is to be
    /// broken.
    pub async fn scratch(binary: &Path, ground: Ground) -> Result<Self, DrillError> {
        let scratch = Scratch::start(binary, ground)?;
        let mut scene = Self {
            access: Access { address: scratch.address(), bearer: Bearer::fixed(String::new()) },
            data_dir: scratch.data_dir(),
            scratch: Some(scratch),
        };
        match scene.settle().await {
            Ok(()) => Ok(scene),
            Err(error) => {
                let log = scene.scratch.as_ref().map(Scratch::log).unwrap_or_default();
                Err(DrillError::Scratch { reason: format!("{error}. It said:\n{log}") })
            }
        }
    }

    async fn settle(&mut self) -> Result<(), DrillError> {
        self.ready().await?;
        if let Some(scratch) = &self.scratch {
            self.access.bearer = Bearer::fixed(scratch.token()?);
        }
        Ok(())
    }

    /// An installation that runs.
    pub const fn running(data_dir: PathBuf, access: Access) -> Self {
        Self { access, data_dir, scratch: None }
    }

    /// The way to its API as an administrator.
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// Whether it is thrown away afterwards.
    pub const fn is_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    /// Its data directory, when the drill may do with it what it likes.
    pub fn own_data_dir(&self) -> Result<&Path, DrillError> {
        if self.is_scratch() { Ok(&self.data_dir) } else { Err(DrillError::OnlyScratch) }
    }

    /// The binary that it was made from, when it is the drill's own.
    pub fn binary(&self) -> Result<&Path, DrillError> {
        self.own().map(Scratch::binary)
    }

    /// What its administrator signs in with, the address and the password, when it is the drill's own.
    pub fn administrator(&self) -> Result<(&'static str, &'static str), DrillError> {
        self.own().map(|_| Scratch::administrator())
    }

    /// Begins a command of its command line, when it is the drill's own. It ends with what is returned.
    pub fn command(&self, arguments: &[&OsStr]) -> Result<Child, DrillError> {
        self.own()?.begin(arguments)
    }

    /// Waits until every process is ready, and build and configuration have proven themselves: then there is something
    /// good to return to.
    pub async fn settled(&self) -> Result<(), DrillError> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.ready().await?;
            if let Ok(mut control) = Control::connect(&self.data_dir).await
                && let Ok((_, BuildState::Settled, _)) = control.build().await
            {
                return Ok(());
            }
            sleep(GLANCE).await;
        }
        Err(DrillError::Late { what: "the build to prove itself".to_owned(), waited: begun.elapsed() })
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Kills the whole control plane with SIGKILL, keeper and supervisor first, so that nothing of it comes back. The
    /// agent and what it runs stay.
    pub async fn control_plane_away(&self) -> Result<(), DrillError> {
        let own = self.own()?;
        let mut parts = Vec::new();
        for component in self.components().await? {
            if !matches!(component.role, Role::Agent | Role::Shim)
                && let Some(part) = Part::of(&component)?
            {
                parts.push((component.role != Role::Supervisor, part));
            }
        }
        parts.sort_by_key(|(below, _)| *below);
        own.kill_keeper()?;
        for (_, part) in &parts {
            part.kill()?;
        }
        for (_, part) in &parts {
            part.ended().await?;
        }
        Ok(())
    }

    /// Starts the control plane again. It is not ready yet.
    pub fn control_plane_back(&self) -> Result<(), DrillError> {
        self.own()?.start_again()
    }

    /// Its own disk that can be filled.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn small_disk(&self) -> Result<&SmallDisk, DrillError> {
        if let Prepared::Small(disk) = self.own()?.ground() { Ok(disk) } else { Err(DrillError::OnlyScratch) }
    }

    /// Its own disk that can stop answering.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn slow_disk(&self) -> Result<&SlowDisk, DrillError> {
        if let Prepared::Slow(disk) = self.own()?.ground() { Ok(disk) } else { Err(DrillError::OnlyScratch) }
    }

    /// Its own disk that can fail to keep what is written.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn failing_disk(&self) -> Result<&FailingDisk, DrillError> {
        if let Prepared::Failing(disk) = self.own()?.ground() { Ok(disk) } else { Err(DrillError::OnlyScratch) }
    }

    /// Its own clock.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn clock(&self) -> Result<&MovedClock, DrillError> {
        if let Prepared::Clock(clock) = self.own()?.ground() { Ok(clock) } else { Err(DrillError::OnlyScratch) }
    }

    fn own(&self) -> Result<&Scratch, DrillError> {
        self.scratch.as_ref().ok_or(DrillError::OnlyScratch)
    }

    /// Its own processes, as its supervisor sees them.
    pub async fn components(&self) -> Result<Vec<Component>, DrillError> {
        Ok(Control::connect(&self.data_dir).await?.status().await?)
    }

    /// One of its processes that runs, by name.
    pub async fn part(&self, name: &str) -> Result<Part, DrillError> {
        let missing = || DrillError::Missing { part: name.to_owned() };
        let components = self.components().await?;
        let component = components.into_iter().find(|component| component.name == name).ok_or_else(missing)?;
        Part::of(&component)?.ok_or_else(missing)
    }

    /// Tells the supervisor that a process is about to be ended on purpose, so that its return is recorded as a drill.
    pub async fn announce(&self, part: &Part, drill: &str) -> Result<(), DrillError> {
        let purpose = format!("drill {drill}");
        match Control::connect(&self.data_dir).await?.announce(part.name(), ANNOUNCED, &purpose).await {
            // A supervisor of an earlier version does not answer what it does not know; it records a fault.
            Err(ControlError::Late) => Ok(()),
            told => Ok(told?),
        }
    }

    /// The names of its API servers.
    pub async fn api_servers(&self) -> Result<Vec<String>, DrillError> {
        let is_api = |component: &Component| component.role == Role::Api;
        Ok(self.components().await?.into_iter().filter(is_api).map(|component| component.name).collect())
    }

    /// Waits until every process is ready.
    pub async fn ready(&self) -> Result<(), DrillError> {
        self.until("every process to be ready", |components| {
            let settled =
                |component: &Component| matches!(component.state, ComponentState::Ready | ComponentState::Stopped);
            (!components.is_empty() && components.iter().all(settled)).then_some(())
        })
        .await
    }

    /// Waits until the supervisor says what is looked for.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&[Component]) -> Option<T>) -> Result<T, DrillError> {
        let begun = Instant::now();
        loop {
            // While it is replaced it cannot be asked.
            if let Ok(components) = self.components().await
                && let Some(found) = look(&components)
            {
                return Ok(found);
            }
            if begun.elapsed() > PATIENCE {
                return Err(DrillError::Late { what: what.to_owned(), waited: begun.elapsed() });
            }
            sleep(GLANCE).await;
        }
    }

    /// Waits until an API server that is not one of `others` answers a new connection and says that it is ready. Each
    /// connection may be taken by any of them, so the instant is late by a few tries at most.
    pub async fn new_api_server(&self, others: &[u32]) -> Result<(), DrillError> {
        let begun = Instant::now();
        let request = Request::get("/readyz");
        while begun.elapsed() < PATIENCE {
            let mut connection = Connection::new(self.access.clone());
            if let Try::Answered(answer) = connection.attempt(&request, KNOCK_PATIENCE).await {
                let says: Option<Readiness> = serde_json::from_slice(&answer.body).ok();
                if says.is_some_and(|says| says.ready && !others.contains(&says.process)) {
                    return Ok(());
                }
            }
            sleep(KNOCK).await;
        }
        Err(DrillError::Late { what: "another API server to answer".to_owned(), waited: begun.elapsed() })
    }
}
