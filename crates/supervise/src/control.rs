//! The command line's side of the control socket: state, stop, restart, recoveries.

use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use nodepanel_types::{
    Millis,
    component::{Component, Renewal},
};
use tokio::time::timeout;

use crate::{
    run_dir::{CONTROL_SOCKET, RunDir},
    sockets::Sockets,
    wire::{
        Channel, ChannelError, Peer,
        protocol::{BuildState, FromSupervisor, Recovery, ToSupervisor, with_keeper},
    },
};

/// How long the supervisor may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The same when it has to look at another program first.
const CHECK: Duration = Duration::from_secs(20);

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No supervisor listens.
    #[error("nothing runs for {}: start it with `nodepanel up`, or name the right --data-dir", data_dir.display())]
    NotRunning {
        /// The installation.
        data_dir: PathBuf,
    },
    /// The control socket belongs to another user, or cannot be reached.
    #[error("cannot reach the supervisor of {}: run this as the user that started it, or as root", data_dir.display())]
    Unreachable {
        /// The installation.
        data_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It takes too long.
    #[error("the supervisor did not answer within {} s", ANSWER.as_secs())]
    Late,
    /// It went away in the middle.
    #[error("the supervisor went away before it answered")]
    Gone,
    /// It says no.
    #[error("{reason}")]
    Refused {
        /// Its reason, as a sentence.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection to the supervisor broke")]
    Channel(#[from] ChannelError),
}

/// A connection to the supervisor of an installation.
#[derive(Debug)]
pub struct Control {
    channel: Channel,
}

impl Control {
    /// Connects to the supervisor of a data directory.
    pub async fn connect(data_dir: &Path) -> Result<Self, ControlError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ControlError::NotRunning { data_dir: data_dir.to_owned() }
            }
            _ => ControlError::Unreachable { data_dir: data_dir.to_owned(), source },
        };
        let run_dir = RunDir::open(RunDir::path_in(data_dir)).map_err(failed)?;
        let stream = run_dir.connect(CONTROL_SOCKET).await.map_err(failed)?;
        Ok(Self { channel: Channel::new(stream) })
    }

    /// Which process answers.
    pub fn peer(&self) -> io::Result<Peer> {
        self.channel.peer()
    }

    /// The state of every component: the supervisor, the workers, and what they keep.
    pub async fn status(&mut self) -> Result<Vec<Component>, ControlError> {
        match self.ask(&ToSupervisor::Status).await? {
            FromSupervisor::Status { components, keeper, .. } => Ok(with_keeper(components, keeper)),
            _ => Err(ControlError::Gone),
        }
    }

    /// How proofs are renewed; `None` when the supervisor is of a version that renews none.
    pub async fn renewal(&mut self) -> Result<Option<Renewal>, ControlError> {
        match self.ask(&ToSupervisor::Status).await? {
            FromSupervisor::Status { renewal, .. } => Ok(renewal.map(|renewal| *renewal)),
            _ => Err(ControlError::Gone),
        }
    }

    /// Has the proofs of all components renewed, one after the other; returns when that has begun.
    pub async fn renew_proofs(&mut self) -> Result<(), ControlError> {
        self.ask(&ToSupervisor::RenewProofs).await.map(|_| ())
    }

    /// The newest recoveries, at most `limit`, oldest first.
    pub async fn recoveries(&mut self, limit: usize) -> Result<Vec<Recovery>, ControlError> {
        match self.ask(&ToSupervisor::Recoveries { limit }).await? {
            FromSupervisor::Recoveries { recoveries } => Ok(recoveries),
            _ => Err(ControlError::Gone),
        }
    }

    /// Says that the calling process keeps this supervisor.
    pub async fn keeping(&mut self) -> Result<(), ControlError> {
        // A supervisor of an earlier version does not answer what it does not know, and need not.
        self.channel.send(&ToSupervisor::Keeping, &[]).await?;
        Ok(())
    }

    /// Says that the calling process, which keeps this supervisor, goes on as another build, after `took_ms`.
    pub async fn keeper_renewed(&mut self, took_ms: Millis) -> Result<(), ControlError> {
        self.channel.send(&ToSupervisor::KeeperRenewed { took_ms }, &[]).await?;
        Ok(())
    }

    /// Has one worker replaced; returns when that has begun.
    pub async fn restart(&mut self, name: &str) -> Result<(), ControlError> {
        self.ask(&ToSupervisor::Restart { name: name.to_owned() }).await.map(|_| ())
    }

    /// Says that a component is about to be ended on purpose, and what for: its next end, when it comes `within` that
    /// time (a minute at most), is recorded as a drill. Returns when that is known, also to the next supervisor.
    pub async fn announce(&mut self, name: &str, within: Duration, purpose: &str) -> Result<(), ControlError> {
        let within_ms = Millis::try_from(within.as_millis()).unwrap_or(Millis::MAX);
        let message = ToSupervisor::Announce { name: name.to_owned(), within_ms, purpose: purpose.to_owned() };
        self.ask(&message).await.map(|_| ())
    }

    /// Has every worker moved to the installed build, after that was looked at; returns when it has begun.
    pub async fn upgrade(&mut self) -> Result<(), ControlError> {
        self.channel.send(&ToSupervisor::Upgrade, &[]).await?;
        match timeout(CHECK, self.receive()).await {
            Err(_) => Err(ControlError::Late),
            Ok(answer) => answer.map(|_| ()),
        }
    }

    /// Where the program is installed, whether workers are being moved, and what became of the last move that failed.
    pub async fn build(&mut self) -> Result<(PathBuf, BuildState, Option<String>), ControlError> {
        match self.ask(&ToSupervisor::Build).await? {
            FromSupervisor::Build { installed, state, outcome } => Ok((installed, state, outcome)),
            _ => Err(ControlError::Gone),
        }
    }

    /// Has everything ended, with the game servers when `servers` is set; returns when that has begun. `ended`
    /// waits for the end of it.
    pub async fn stop(&mut self, servers: bool) -> Result<(), ControlError> {
        self.ask(&ToSupervisor::Stop { servers }).await.map(|_| ())
    }

    /// Waits until the supervisor has ended.
    pub async fn ended(mut self) {
        while let Ok(Some(_)) = self.channel.receive::<FromSupervisor>().await {}
    }

    /// Copies of the supervisor's listening sockets.
    pub async fn take_sockets(&mut self) -> Result<Sockets, ControlError> {
        let FromSupervisor::Sockets { names } = self.ask(&ToSupervisor::TakeSockets).await? else {
            return Err(ControlError::Gone);
        };
        let mut sockets = Sockets::default();
        for (name, descriptor) in names.iter().zip(self.channel.take_descriptors(names.len())) {
            sockets.insert(name, TcpListener::from(descriptor));
        }
        Ok(sockets)
    }

    async fn ask(&mut self, message: &ToSupervisor) -> Result<FromSupervisor, ControlError> {
        self.channel.send(message, &[]).await?;
        timeout(ANSWER, self.receive()).await.map_err(|_| ControlError::Late)?
    }

    async fn receive(&mut self) -> Result<FromSupervisor, ControlError> {
        match self.channel.receive().await? {
            None => Err(ControlError::Gone),
            Some(FromSupervisor::Refused { reason }) => Err(ControlError::Refused { reason }),
            Some(answer) => Ok(answer),
        }
    }
}
