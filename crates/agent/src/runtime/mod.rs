//! How game servers are run: one trait, so that the rest of the agent does not know what keeps a process.
//!
//! A runtime recovers what runs already before it starts anything; what it starts outlives the agent.

mod leftovers;
mod order;
mod process;
mod shim_run;
mod state;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use nodepanel_supervise::build::Print;
use nodepanel_types::Millis;
use tokio::sync::watch;

pub use nodepanel_shim::protocol::ConsoleFrom;
pub use order::{RunOrder, RunPlace};
pub use process::{ProcessRuntime, ProcessRuntimeConfig};
pub use state::{RunEnd, RunState, RuntimeError};

/// Starts processes and finds those that it started before.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// What is there of the run that was last started in `place`. Never starts anything.
    async fn recover(&self, place: &RunPlace) -> Result<Recovered, RuntimeError>;

    /// Starts a run. There must be none in the order's place.
    async fn start(&self, order: RunOrder) -> Result<Arc<dyn Running>, RuntimeError>;

    /// Forgets how the last run in `place` ended, once that is recorded elsewhere, and removes what is left of it.
    async fn forget(&self, place: &RunPlace);

    /// What is weaker here than it could be, each a sentence.
    fn warnings(&self) -> Vec<String>;
}

/// What was found of an earlier run.
pub enum Recovered {
    /// Nothing.
    Nothing,
    /// It runs.
    Running(Arc<dyn Running>),
    /// It has ended, and nobody has recorded that.
    Ended(RunEnd),
    /// Its keeper was killed: how it would have ended is not known. Nothing of it is left.
    Lost,
}

/// A run, from its start until its end is recorded.
#[async_trait]
pub trait Running: Send + Sync + 'static {
    /// Its state, now and after every change. The last one is `RunState::Ended`.
    fn state(&self) -> watch::Receiver<RunState>;

    /// The process id of its keeper.
    fn keeper_pid(&self) -> u32;

    /// Asks it to end, with SIGKILL after `timeout_ms`, also without the agent. Does not wait for the end.
    async fn stop(&self, timeout_ms: Millis) -> Result<(), RuntimeError>;

    /// SIGKILL to everything that it started, also when its keeper does not answer. Does not wait for the end.
    async fn kill(&self) -> Result<(), RuntimeError>;

    /// Types a line; a repetition with the same key types nothing. Returns the number of the console line.
    async fn command(&self, line: &str, key: &str) -> Result<Option<u64>, RuntimeError>;

    /// Writes a line of NodePanel's own into the console.
    async fn say(&self, text: &str) -> Result<(), RuntimeError>;

    /// Console frames as NDJSON; every item is one or more whole lines.
    async fn console(
        &self,
        from: ConsoleFrom,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<Bytes, RuntimeError>>, RuntimeError>;

    /// Which build keeps it; `None` when that cannot say.
    fn build(&self) -> Option<Print>;

    /// Has the keeper go on as another build, the one in the file `program`, without the game noticing. Returns how long
    /// nobody kept it.
    async fn renew(&self, program: &Path, build: Print) -> Result<Duration, RuntimeError>;

    /// The end is recorded: the keeper may go, and what the run needed with it.
    async fn release(&self);
}
