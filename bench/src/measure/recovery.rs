//! How soon an API server is back after `kill -9`, with 10,000 servers in the store: from its end to ready again, as
//! the supervisor saw it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use nodepanel_types::component::{Component, ComponentState, Role};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::api::SERVERS;
use crate::{figure::Figure, installation::Installation, seed};

const ROUNDS: usize = 14;
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than a life must last for its end to be answered by a start at once.
const HEALTHY: Duration = Duration::from_millis(2_500);

pub async fn measure() -> anyhow::Result<Vec<Figure>> {
    let installation = Installation::start().await?;
    seed::fill(&installation, SERVERS).await?;
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        // One after the other, so that each has been well for long enough.
        let victims = installation.components()?.into_iter().filter(|component| component.role == Role::Api);
        let victims: Vec<Component> = victims.collect();
        let victim = victims.get(round % victims.len().max(1)).context("there is no API server")?;
        sleep(HEALTHY / 2).await;
        let pid = victim.pid.and_then(|pid| Pid::from_raw(pid.cast_signed())).context("it has no process")?;
        kill_process(pid, Signal::KILL)?;
        took.push(recovered(&installation, victim).await?);
    }
    Ok(vec![
        Figure::of(format!("recovery: API server killed to ready, {SERVERS} servers"), "ms", took)?.aim("<= 200 ms"),
    ])
}

/// Waits until it is ready again, and answers how long that took.
#[expect(clippy::cast_precision_loss, reason = "a few seconds")]
async fn recovered(installation: &Installation, before: &Component) -> anyhow::Result<f64> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        sleep(Duration::from_millis(300)).await;
        let parts = installation.components()?;
        let now = parts.iter().find(|component| component.name == before.name).context("it has gone")?;
        if let Some(millis) = now.last_recovery_ms
            && now.restarts > before.restarts
            && now.state == ComponentState::Ready
        {
            return Ok(millis as f64);
        }
    }
    bail!("{} is not back after {PATIENCE:?}", before.name)
}
