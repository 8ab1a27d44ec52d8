//! SIGKILL to one API server, each in its turn.

use std::time::Duration;

use tokio::time::Instant;

use super::pick;
use crate::{error::DrillError, scene::Scene};

/// Kills one; times until its replacement answers a new connection.
pub async fn once(scene: &Scene, repetition: u32) -> Result<Vec<Duration>, DrillError> {
    let (victim, all) = pick(scene, repetition).await?;
    scene.announce(&victim, "api-killed").await?;
    let begun = Instant::now();
    victim.kill()?;
    scene.new_api_server(&all).await?;
    Ok(vec![begun.elapsed()])
}
