//! SIGKILL to every API server at once: requests wait in the sockets that the supervisor holds.

use std::time::Duration;

use tokio::time::Instant;

use crate::{error::DrillError, scene::Scene};

/// Kills them all; times until a new connection, made at once, is answered.
pub async fn once(scene: &Scene) -> Result<Vec<Duration>, DrillError> {
    let mut victims = Vec::new();
    for name in scene.api_servers().await? {
        let victim = scene.part(&name).await?;
        scene.announce(&victim, "all-api-killed").await?;
        victims.push(victim);
    }
    let begun = Instant::now();
    for victim in &victims {
        victim.kill()?;
    }
    let pids: Vec<u32> = victims.iter().map(crate::scene::Part::pid).collect();
    scene.new_api_server(&pids).await?;
    Ok(vec![begun.elapsed()])
}
