//! The task that keeps a worker's connection: heartbeat, announcements, orders, and finding a new supervisor.

use std::{
    collections::VecDeque,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nodepanel_types::Millis;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, info, warn};

use super::handle::{About, Announcement, Orders, Readiness};
use crate::{
    run_dir::{CONTROL_SOCKET, RunDir},
    sockets::Sockets,
    wire::{
        Channel, ChannelError,
        protocol::{Condition, FromSupervisor, PROTOCOL, ToSupervisor},
    },
};

/// How often the event loop shows that it turns.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// How often a lost supervisor is looked for: this long, and up to as much again.
const RETRY: Duration = Duration::from_millis(20);

/// Something that the worker asks.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) message: ToSupervisor,
    pub(super) answer: oneshot::Sender<FromSupervisor>,
}

/// Why one connection ended.
enum Parted {
    /// The supervisor is gone.
    Lost,
    /// The worker has no use for it any more.
    Finished,
}

/// The task's state.
pub(super) struct Client {
    about: About,
    run_dir: RunDir,
    sockets: Sockets,
    announced: watch::Receiver<Announcement>,
    ordered: watch::Sender<Orders>,
    api_servers: watch::Sender<Option<Vec<Condition>>>,
    questions: mpsc::Receiver<Question>,
}

impl Client {
    pub(super) const fn new(
        about: About,
        run_dir: RunDir,
        sockets: Sockets,
        announced: watch::Receiver<Announcement>,
        ordered: watch::Sender<Orders>,
        api_servers: watch::Sender<Option<Vec<Condition>>>,
        questions: mpsc::Receiver<Question>,
    ) -> Self {
        Self { about, run_dir, sockets, announced, ordered, api_servers, questions }
    }

    /// Runs until the worker drops its last handle.
    pub(super) async fn run(mut self) {
        let mut alone_since: Option<Instant> = None;
        loop {
            let Some(stream) = self.find(alone_since).await else { return };
            let alone_ms =
                alone_since.map(|since| Millis::try_from(since.elapsed().as_millis()).unwrap_or(Millis::MAX));
            match self.converse(Channel::new(stream), alone_ms).await {
                Ok(Parted::Finished) => return,
                Ok(Parted::Lost) => warn!("the supervisor is gone; going on without it until the next one comes"),
                Err(error) => warn!(%error, "lost the supervisor; going on without it until it is back"),
            }
            alone_since = Some(Instant::now());
        }
    }

    /// Connects, however long it takes; `None` when the worker has no use for it any more.
    async fn find(&mut self, alone_since: Option<Instant>) -> Option<tokio::net::UnixStream> {
        loop {
            match self.run_dir.connect(CONTROL_SOCKET).await {
                Ok(stream) => return Some(stream),
                Err(error) => debug!(%error, "no supervisor listens"),
            }
            // The answer to whoever asks now is "away": waiting would only hide it.
            while self.questions.try_recv().is_ok() {}
            if self.announced.has_changed().is_err() {
                return None;
            }
            let jitter = RETRY.mul_f64(f64::from(std::process::id() % 16) / 16.0);
            let long_alone = alone_since.is_some_and(|since| since.elapsed() > Duration::from_secs(60));
            sleep(if long_alone { RETRY * 10 } else { RETRY } + jitter).await;
        }
    }

    async fn converse(&mut self, mut channel: Channel, alone_ms: Option<Millis>) -> Result<Parted, ChannelError> {
        let hello = ToSupervisor::Hello {
            protocol: PROTOCOL,
            name: self.about.name.clone(),
            worker_id: self.about.worker_id,
            version: self.about.version.clone(),
            pid: std::process::id(),
            alone_ms,
        };
        channel.send(&hello, &[]).await?;
        let mut told = None;
        self.announce(&channel, &mut told).await?;
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting: VecDeque<oneshot::Sender<FromSupervisor>> = VecDeque::new();
        loop {
            tokio::select! {
                message = channel.receive::<FromSupervisor>() => match message? {
                    None => return Ok(Parted::Lost),
                    Some(message) => self.hear(&channel, message, &mut waiting).await?,
                },
                changed = self.announced.changed() => {
                    if changed.is_err() {
                        return Ok(Parted::Finished);
                    }
                    self.announce(&channel, &mut told).await?;
                }
                _ = heartbeat.tick() => channel.send(&ToSupervisor::Alive, &[]).await?,
                question = self.questions.recv() => {
                    if let Some(Question { message, answer }) = question {
                        channel.send(&message, &[]).await?;
                        waiting.push_back(answer);
                    }
                }
            }
        }
    }

    /// Says what changed since `told`.
    async fn announce(&mut self, channel: &Channel, told: &mut Option<Announcement>) -> Result<(), ChannelError> {
        let now = self.announced.borrow_and_update().clone();
        let before = told.replace(now.clone());
        let changed =
            |same: fn(&Announcement, &Announcement) -> bool| before.as_ref().is_none_or(|before| !same(before, &now));
        if changed(|before, now| before.children == now.children) && (before.is_some() || !now.children.is_empty()) {
            channel.send(&ToSupervisor::Children { components: now.children.clone() }, &[]).await?;
        }
        if changed(|before, now| before.readiness == now.readiness) {
            match &now.readiness {
                Readiness::Preparing => {}
                Readiness::Ready => channel.send(&ToSupervisor::Ready, &[]).await?,
                Readiness::NotReady(reason) => {
                    channel.send(&ToSupervisor::NotReady { reason: reason.clone() }, &[]).await?;
                }
            }
        }
        if now.servers_stopped && before.is_none_or(|before| !before.servers_stopped) {
            channel.send(&ToSupervisor::ServersStopped, &[]).await?;
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        channel: &Channel,
        message: FromSupervisor,
        waiting: &mut VecDeque<oneshot::Sender<FromSupervisor>>,
    ) -> Result<(), ChannelError> {
        match message {
            FromSupervisor::Welcome { pid, .. } => info!(process.pid = pid, "supervised by process {pid}"),
            FromSupervisor::Drain { deadline_ms } => {
                info!(deadline_ms, "asked to finish and end");
                self.ordered.send_modify(|orders| orders.drain = true);
            }
            FromSupervisor::StopServers { deadline_ms } => {
                info!(deadline_ms, "asked to stop the game servers");
                self.ordered.send_modify(|orders| orders.stop_servers = true);
            }
            FromSupervisor::ApiServers { servers } => {
                // Nobody may be interested.
                self.api_servers.send_replace(Some(servers));
            }
            FromSupervisor::GiveSockets => {
                let names: Vec<String> = self.sockets.iter().map(|(name, _)| name.to_owned()).collect();
                let sockets: Vec<_> = self.sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
                channel.send(&ToSupervisor::Sockets { names }, &sockets).await?;
            }
            FromSupervisor::Refused { reason } if waiting.is_empty() => warn!("the supervisor refused: {reason}"),
            answer @ (FromSupervisor::Status { .. }
            | FromSupervisor::Recoveries { .. }
            | FromSupervisor::Accepted
            | FromSupervisor::Refused { .. }) => {
                if let Some(asker) = waiting.pop_front() {
                    // Whoever asked may have stopped waiting.
                    let _ = asker.send(answer);
                }
            }
            FromSupervisor::Build { .. } | FromSupervisor::Sockets { .. } | FromSupervisor::Unknown => {}
        }
        Ok(())
    }
}
