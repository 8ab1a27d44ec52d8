//! `role agent`: runs the game servers of this machine.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use nodepanel_agent::{Agent, AgentConfig};
use nodepanel_supervise::{
    sockets::Inherited,
    worker::{About, Worker},
};
use nodepanel_types::{WorkerId, clock::IdSource as _};
use tokio_util::sync::CancellationToken;

use crate::{
    local::{DataDir, log_to_stderr},
    system::{SystemClock, SystemIds},
};

/// The pause between two tries to start where the disk does not allow it now.
const RETRY: Duration = Duration::from_millis(500);
/// How long game servers may take to stop when everything is stopped.
pub const STOP_SERVERS: Duration = Duration::from_secs(80);

/// Runs the agent until it is asked to end; the games stay.
pub fn run(data_dir: &DataDir) -> anyhow::Result<()> {
    let inherited = Inherited::from_env();
    let _log = log_to_stderr();
    // One thread watches some hundred games easily, and leaves the machine to them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(data_dir, &inherited))
}

async fn serve(data_dir: &DataDir, inherited: &Inherited) -> anyhow::Result<()> {
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let about =
        About { name: "agent".to_owned(), worker_id: WorkerId::from_uuid(ids.uuid()), version: version.clone() };
    let worker = Worker::from_env(about, &inherited.sockets).context("the supervisor cannot be reached")?;
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    let config = AgentConfig::new(data_dir.path().to_owned(), program, version);
    let Some(agent) = start(&worker, config, clock, ids).await? else { return Ok(()) };
    worker.ready();
    let shutdown = CancellationToken::new();
    let mut components = agent.components();
    let (reporting, ending) = (worker.clone(), shutdown.clone());
    let report = async move {
        loop {
            let children = components.borrow_and_update().clone();
            reporting.report_children(children);
            if components.changed().await.is_err() {
                return;
            }
        }
    };
    let orders = async {
        tokio::select! {
            () = worker.drain_asked() => {}
            () = worker.stop_servers_asked() => {
                let left = agent.stop_servers(STOP_SERVERS).await;
                if left > 0 {
                    tracing::warn!(servers = left, "game servers did not stop in time");
                }
                worker.servers_stopped();
                worker.drain_asked().await;
            }
            () = crate::role::terminated() => {}
        }
        ending.cancel();
    };
    tokio::select! {
        () = async { tokio::join!(agent.serve(shutdown.clone()), orders); } => {}
        () = report => {}
    }
    agent.close().await;
    Ok(())
}

/// Starts, as often as it takes while the disk is full or not there; `None` when this process was asked to end meanwhile.
async fn start(
    worker: &Worker,
    config: AgentConfig,
    clock: Arc<SystemClock>,
    ids: Arc<SystemIds>,
) -> anyhow::Result<Option<Agent>> {
    let mut said = String::new();
    loop {
        let error = match Agent::start(config.clone(), clock.clone(), ids.clone()).await {
            Ok(agent) => return Ok(Some(agent)),
            Err(error) if error.may_pass() => anyhow::Error::new(error),
            Err(error) => return Err(error).context("the agent cannot start"),
        };
        let reason = format!("{error:#}");
        if reason != said {
            tracing::error!("{reason}; game servers that run go on; trying again until it works");
            worker.not_ready(reason.clone());
            said = reason;
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = worker.drain_asked() => return Ok(None),
            () = crate::role::terminated() => return Ok(None),
        }
    }
}
