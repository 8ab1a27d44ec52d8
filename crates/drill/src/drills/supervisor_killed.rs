//! SIGKILL to the supervisor: its workers go on, and the next one takes them over.

use std::time::Duration;

use nodepanel_types::component::{Component, Role};
use tokio::time::Instant;

use crate::{error::DrillError, scene::Scene};

/// Kills it; times until another one says that it has the same workers. A worker that is another process than before
/// was not taken over, and the drill says so.
pub async fn once(scene: &Scene) -> Result<Vec<Duration>, DrillError> {
    let before = workers(&scene.components().await?);
    let victim = scene.part(Role::Supervisor.as_str()).await?;
    scene.announce(&victim, "supervisor-killed").await?;
    let begun = Instant::now();
    victim.kill()?;
    let (took, after) = scene
        .until("another supervisor with all workers", |components| {
            let supervisor = components.iter().find(|component| component.role == Role::Supervisor)?;
            let after = workers(components);
            let taken_over = supervisor.pid != Some(victim.pid()) && after.len() == before.len();
            taken_over.then(|| (begun.elapsed(), after))
        })
        .await?;
    if after != before {
        let answer = format!("workers {after:?}, which were {before:?} before");
        return Err(DrillError::Answer { what: "the next supervisor".to_owned(), answer });
    }
    Ok(vec![took])
}

/// Names and processes of the workers that run.
fn workers(components: &[Component]) -> Vec<(String, u32)> {
    let worker = |component: &&Component| !matches!(component.role, Role::Keeper | Role::Supervisor | Role::Shim);
    let name = |component: &Component| Some((component.name.clone(), component.pid?));
    components.iter().filter(worker).filter_map(name).collect()
}
