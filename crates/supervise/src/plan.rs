//! What should run on this host: the declared table of workers, their sockets and their order.
//!
//! A plan is checked as a whole before anything is bound or started.

use std::{
    collections::HashSet,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use nodepanel_types::component::Role;
use tokio::sync::watch;

use crate::{ceiling::Ceilings, policy::Backoff, renewal::Rules};

/// Everything that one supervisor keeps running.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The directory of the installation; the supervisor uses `run/` and `logs/` in it.
    pub data_dir: PathBuf,
    /// The listening sockets that it holds, each under a unique name.
    pub sockets: Vec<SocketSpec>,
    /// The workers, in the order in which they are shown.
    pub workers: Vec<WorkerSpec>,
    /// How builds of the program replace each other; `None` where they do not.
    pub upgrades: Option<Upgrades>,
    /// When proofs are renewed.
    pub renewal: Rules,
    /// What the operator should know now, if anything; shown with the supervisor.
    pub notice: Option<watch::Receiver<Option<String>>>,
}

/// The program that the workers and the supervisor are made of.
#[derive(Debug, Clone)]
pub struct Upgrades {
    /// Where it is installed; a new build appears here.
    pub installed: PathBuf,
    /// Arguments with which it says whether it can be used here: exit code 0, or a reason on standard error.
    pub check: Vec<OsString>,
    /// The configuration that is taken up together with a build.
    pub configuration: Configuration,
}

/// The configuration of this plan, and where another one may appear.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The operator's file. None at all counts as an empty one.
    pub file: PathBuf,
    /// The copy that this plan was made of (see [`crate::configuration`]).
    pub in_force: PathBuf,
}

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSpec {
    /// What workers know it as, for example `http`.
    pub name: String,
    /// Where it listens; port 0 takes any free one.
    pub address: SocketAddr,
}

/// One worker process.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// Unique in the plan, for example `api-1`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// What to run.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables added to the supervisor's own environment.
    pub env: Vec<(OsString, OsString)>,
    /// The copy of the configuration that it is told to read.
    pub configuration: Option<PathBuf>,
    /// The names of the sockets that it is given.
    pub sockets: Vec<String>,
    /// Workers that should be ready before this one is started for the first time. Waited for at most
    /// `Timing::patience`: a broken dependency must not keep this one down.
    pub after: Vec<String>,
    /// Its deadlines.
    pub timing: Timing,
    /// What it may hold.
    pub ceilings: Ceilings,
}

/// The deadlines of one worker.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From its start until it must say that it is ready.
    pub ready: Duration,
    /// The longest silence between two heartbeats of a worker that has connected; `None` does not watch them.
    pub alive: Option<Duration>,
    /// How long it may take to finish what it has when it is asked to end.
    pub drain: Duration,
    /// How long it may take to end after SIGTERM, before SIGKILL.
    pub terminate: Duration,
    /// How long it may take to stop the game servers when that is asked for (agents only).
    pub stop_servers: Duration,
    /// How long its first start waits for the workers it comes `after`.
    pub patience: Duration,
    /// How repeated crashes slow its restarts down.
    pub backoff: Backoff,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            ready: Duration::from_secs(10),
            alive: Some(Duration::from_millis(700)),
            drain: Duration::from_secs(10),
            terminate: Duration::from_secs(3),
            stop_servers: Duration::from_secs(90),
            patience: Duration::from_secs(5),
            backoff: Backoff::OWN_PARTS,
        }
    }
}

/// Why a plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A name is used as a file name and as a variable's value.
    #[error("the name {name:?} may hold only lower-case letters, digits and '-', and 1 to 32 of them")]
    BadName {
        /// The name.
        name: String,
    },
    /// Two workers or two sockets have one name.
    #[error("the name {name:?} is used twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A worker wants a socket that the plan does not hold.
    #[error("{worker} wants the socket {socket:?}, which the plan does not hold")]
    NoSuchSocket {
        /// The worker.
        worker: String,
        /// The socket's name.
        socket: String,
    },
    /// A worker comes after one that does not come before it in the table; this also forbids circles.
    #[error("{worker} comes after {dependency:?}, which must stand before it in the plan")]
    NotBefore {
        /// The worker.
        worker: String,
        /// The worker it waits for.
        dependency: String,
    },
}

impl Plan {
    /// Checks names and references.
    pub fn check(&self) -> Result<(), PlanError> {
        let mut sockets = HashSet::new();
        for socket in &self.sockets {
            check_name(&socket.name)?;
            if !sockets.insert(socket.name.as_str()) {
                return Err(PlanError::Duplicate { name: socket.name.clone() });
            }
        }
        let mut workers = HashSet::new();
        for spec in &self.workers {
            check_name(&spec.name)?;
            if let Some(socket) = spec.sockets.iter().find(|name| !sockets.contains(name.as_str())) {
                return Err(PlanError::NoSuchSocket { worker: spec.name.clone(), socket: socket.clone() });
            }
            if let Some(dependency) = spec.after.iter().find(|name| !workers.contains(name.as_str())) {
                return Err(PlanError::NotBefore { worker: spec.name.clone(), dependency: dependency.clone() });
            }
            if !workers.insert(spec.name.as_str()) {
                return Err(PlanError::Duplicate { name: spec.name.clone() });
            }
        }
        Ok(())
    }
}

impl WorkerSpec {
    /// A worker without arguments, sockets or dependencies and with the usual deadlines.
    pub fn new(name: impl Into<String>, role: Role, program: impl AsRef<Path>) -> Self {
        Self {
            name: name.into(),
            role,
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            configuration: None,
            sockets: Vec::new(),
            after: Vec::new(),
            timing: Timing::default(),
            ceilings: Ceilings::default(),
        }
    }
}

fn check_name(name: &str) -> Result<(), PlanError> {
    let fine = (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fine { Ok(()) } else { Err(PlanError::BadName { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let mut api = WorkerSpec::new("api-1", Role::Api, "/bin/true");
        api.sockets.push("http".to_owned());
        let mut agent = WorkerSpec::new("agent", Role::Agent, "/bin/true");
        agent.after.push("api-1".to_owned());
        let sockets = vec![SocketSpec { name: "http".to_owned(), address: ([127, 0, 0, 1], 0).into() }];
        Plan {
            data_dir: "/nonexistent".into(),
            sockets,
            workers: vec![api, agent],
            upgrades: None,
            renewal: Rules::default(),
            notice: None,
        }
    }

    #[test]
    fn a_plan_that_fits_together_is_accepted() {
        assert_eq!(plan().check(), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut wrong = plan();
        wrong.workers[0].name = "../api".to_owned();
        assert!(wrong.check().unwrap_err().to_string().contains("\"../api\""));

        let mut wrong = plan();
        wrong.workers[0].sockets.push("link".to_owned());
        assert_eq!(
            wrong.check().unwrap_err().to_string(),
            "api-1 wants the socket \"link\", which the plan does not hold"
        );

        let mut wrong = plan();
        wrong.workers.reverse();
        assert!(matches!(wrong.check(), Err(PlanError::NotBefore { .. })));

        let mut wrong = plan();
        wrong.workers[1].name = "api-1".to_owned();
        wrong.workers[1].after.clear();
        assert!(matches!(wrong.check(), Err(PlanError::Duplicate { .. })));
    }
}
