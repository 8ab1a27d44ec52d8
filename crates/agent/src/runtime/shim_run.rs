//! A run that a shim keeps: the agent's view of it, kept up to date over the shim's socket.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt as _, stream::BoxStream};
use nodepanel_shim::{ClientError, ShimClient, place, protocol::ShimStatus};
use nodepanel_supervise::build::Print;
use nodepanel_types::{Millis, clock::Clock, state::Exit};
use tokio::{sync::watch, time::timeout};

use super::{ConsoleFrom, RunEnd, RunPlace, RunState, Running, RuntimeError, leftovers};

/// How long a shim may take to pass on SIGKILL before it is passed by.
const KILL_ANSWER: Duration = Duration::from_secs(1);

/// A run that a shim keeps.
pub struct ShimRun {
    client: ShimClient,
    place: RunPlace,
    groups: Vec<PathBuf>,
    state: watch::Receiver<RunState>,
    /// Which build the shim is.
    build: Mutex<Option<Print>>,
}

impl ShimRun {
    /// Connects to the shim in `place` and follows its state until the run has ended.
    pub async fn attach(
        place: RunPlace,
        token: &str,
        groups: Vec<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, RuntimeError> {
        let (client, first, states) = ShimClient::attach(&place.state_dir, token).await?;
        let (sender, state) = watch::channel(first.into());
        let build = Mutex::new(client.welcome().build);
        let run = Arc::new(Self { client, place, groups, state, build });
        tokio::spawn(follow(Arc::clone(&run), states.boxed(), sender, clock));
        Ok(run)
    }
}

type States = BoxStream<'static, Result<ShimStatus, ClientError>>;

/// Passes on states until the run has ended. A connection that breaks is made again for as long as the shim lives.
async fn follow(run: Arc<ShimRun>, states: States, sender: watch::Sender<RunState>, clock: Arc<dyn Clock>) {
    let mut pause = Duration::from_millis(5);
    let mut states = Some(states);
    loop {
        if let Some(mut states) = states.take() {
            while let Some(Ok(status)) = states.next().await {
                pause = Duration::from_millis(5);
                let state = RunState::from(status);
                let ended = matches!(state, RunState::Ended(_));
                sender.send_replace(state);
                if ended {
                    return;
                }
            }
        }
        let state_dir = run.place.state_dir.clone();
        let gone = tokio::task::spawn_blocking(move || after_silence(&state_dir)).await;
        let end = match gone {
            Ok(Gone::Ended(end)) => Some(end),
            Ok(Gone::Killed) => {
                let at = clock.now();
                leftovers::end_game(run.place.server, run.groups.clone()).await;
                let started_at = started_at(&sender.borrow());
                Some(RunEnd { started_at, exit: Exit::KeeperLost, asked: false, killed: false, at })
            }
            Ok(Gone::No) | Err(_) => None,
        };
        if let Some(end) = end {
            sender.send_replace(RunState::Ended(end));
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
        states = run.client.watch().await.ok().map(StreamExt::boxed);
    }
}

/// What the silence of a shim means.
enum Gone {
    /// It lives.
    No,
    /// It wrote down how its game ended.
    Ended(RunEnd),
    /// It could not.
    Killed,
}

fn after_silence(state_dir: &Path) -> Gone {
    if place::is_alive(state_dir).unwrap_or(true) {
        return Gone::No;
    }
    place::read_exit(state_dir).ok().flatten().map_or(Gone::Killed, |ended| Gone::Ended(ended.into()))
}

fn started_at(state: &RunState) -> Option<nodepanel_types::Timestamp> {
    match state {
        RunState::Alive { run, .. } => run.map(|run| run.started_at),
        RunState::Ended(end) => end.started_at,
    }
}

#[async_trait]
impl Running for ShimRun {
    fn state(&self) -> watch::Receiver<RunState> {
        self.state.clone()
    }

    fn keeper_pid(&self) -> u32 {
        self.client.welcome().pid
    }

    async fn stop(&self, timeout_ms: Millis) -> Result<(), RuntimeError> {
        self.client.stop(Some(timeout_ms)).await?;
        Ok(())
    }

    async fn kill(&self) -> Result<(), RuntimeError> {
        if let Ok(Ok(_)) = timeout(KILL_ANSWER, self.client.kill()).await {
            return Ok(());
        }
        // The shim hangs. Kill wins all the same: over the shim, whose end is noticed and cleaned up after.
        let state_dir = self.place.state_dir.clone();
        let work = tokio::task::spawn_blocking(move || leftovers::end_keeper(&state_dir));
        work.await.map_err(|_| RuntimeError::Closing)
    }

    async fn command(&self, line: &str, key: &str) -> Result<Option<u64>, RuntimeError> {
        Ok(self.client.command(line, key).await?.line)
    }

    async fn say(&self, text: &str) -> Result<(), RuntimeError> {
        self.client.say(text).await?;
        Ok(())
    }

    async fn console(
        &self,
        from: ConsoleFrom,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError> {
        let (_, frames) = self.client.console(from, follow).await?;
        Ok(frames.map_err(RuntimeError::from).boxed())
    }

    fn build(&self) -> Option<Print> {
        *self.build.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn renew(&self, program: &Path, build: Print) -> Result<Duration, RuntimeError> {
        let renewed = self.client.renew(program, build).await?;
        *self.build.lock().unwrap_or_else(PoisonError::into_inner) = renewed.build;
        Ok(Duration::from_micros(renewed.took_us))
    }

    async fn release(&self) {
        if let Err(error) = self.client.ack_exit().await {
            // It goes by itself a little later.
            tracing::debug!(server = %self.place.server, %error, "A shim could not be told that it may go");
        }
        let groups = self.groups.clone();
        // Awaited: the next run may make them again.
        let _ = tokio::task::spawn_blocking(move || leftovers::remove_groups(&groups)).await;
    }
}
