//! One API server stops in the middle of what it does: it holds its connections and answers none.

use std::time::Duration;

use tokio::time::Instant;

use super::pick;
use crate::{error::DrillError, scene::Scene};

/// Freezes one; times until the supervisor has ended it, which is the first that can be seen from outside of its being
/// declared hung, and until its replacement answers a new connection.
pub async fn once(scene: &Scene, repetition: u32) -> Result<Vec<Duration>, DrillError> {
    let (victim, all) = pick(scene, repetition).await?;
    scene.announce(&victim, "api-hangs").await?;
    let begun = Instant::now();
    victim.freeze()?;
    let (ended, answered) = tokio::join!(async { victim.ended().await.map(|()| begun.elapsed()) }, async {
        scene.new_api_server(&all).await.map(|()| begun.elapsed())
    });
    Ok(vec![ended?, answered?])
}
