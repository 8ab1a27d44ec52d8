//! SIGKILL to this machine's agent: the games go on, and the next agent takes them up.

use std::time::Duration;

use nodepanel_types::{Timestamp, component::Role};
use tokio::time::Instant;

use crate::{error::DrillError, load::Load, scene::Scene};

/// Kills it; times until a line has been typed into every game of the load.
pub async fn once(scene: &Scene, load: &Load) -> Result<Vec<Duration>, DrillError> {
    let before = starts(load).await?;
    let victim = scene.part(Role::Agent.as_str()).await?;
    scene.announce(&victim, "agent-killed").await?;
    let begun = Instant::now();
    victim.kill()?;
    victim.ended().await?;
    for game in load.games() {
        load.press(game).await?;
    }
    let took = begun.elapsed();
    let after = starts(load).await?;
    if after != before {
        let answer = format!("starts {after:?}, which were {before:?} before");
        return Err(DrillError::Answer { what: "the games after the agent's death".to_owned(), answer });
    }
    Ok(vec![took])
}

/// Since when each game runs, and how often it was started without anybody asking for it.
async fn starts(load: &Load) -> Result<Vec<(Option<Timestamp>, u64)>, DrillError> {
    let mut starts = Vec::new();
    for game in load.games() {
        let view = load.running(game).await?;
        starts.push((view.since, view.automatic_restarts));
    }
    Ok(starts)
}
