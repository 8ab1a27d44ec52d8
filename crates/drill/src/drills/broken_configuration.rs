//! A mistake in the operator's configuration, and then SIGKILL to a process: whoever comes back reads what was good, and
//! comes back once.

use std::{collections::BTreeMap, fs, time::Duration};

use nodepanel_types::component::{Component, ComponentState, Role};
use tokio::time::Instant;

use crate::{error::DrillError, scene::Scene};

/// Mistakes as people make them; each has to be named with its line.
const MISTAKES: [&str; 5] = [
    "[api]\nservants = 2\n",
    "[api]\nservers = 99\n",
    "[http]\nlisten = localhost\n",
    "[api\nservers = 2\n",
    "[ceilings]\napi_mib = \"much\"\n",
];

/// Spoils the file, and waits until the installation says so; kills a process, each in its turn, and waits until it is
/// ready again; then puts the file right.
pub async fn once(scene: &Scene, repetition: u32) -> Result<Vec<Duration>, DrillError> {
    let file = scene.own_data_dir()?.join("nodepanel.toml");
    scene.settled().await?;
    let before = restarts(&scene.components().await?);
    let right = fs::read_to_string(&file).map_err(|source| DrillError::File { path: file.clone(), source })?;
    let turn = usize::try_from(repetition).unwrap_or_default();

    let begun = Instant::now();
    write(&file, MISTAKES.iter().cycle().nth(turn).copied().unwrap_or_default())?;
    let named = scene
        .until("the mistake to be named with its line", |components| {
            notice(components).is_some_and(|notice| notice.contains("line ")).then(|| begun.elapsed())
        })
        .await?;

    let victims: Vec<&String> = before.keys().collect();
    let name = victims.get(turn % victims.len().max(1)).ok_or(DrillError::Missing { part: "process".to_owned() })?;
    let victim = scene.part(name).await?;
    let begun = Instant::now();
    // Unannounced: an end that is expected is no restart, and restarts are counted below.
    victim.kill()?;
    let (back, after) = scene
        .until("the killed process to be ready again", |components| {
            let ready = |component: &&Component| component.state == ComponentState::Ready;
            let new = components.iter().filter(ready).find(|new| new.name == **name && new.pid != Some(victim.pid()));
            new.map(|_| (begun.elapsed(), restarts(components)))
        })
        .await?;
    let expected: BTreeMap<String, u64> =
        before.iter().map(|(other, count)| (other.clone(), count + u64::from(*name == other))).collect();
    if after != expected {
        let answer =
            format!("restarts {after:?}, where only {name} was killed and should have come back once: {before:?}");
        return Err(DrillError::Answer { what: "the processes with a broken configuration".to_owned(), answer });
    }

    write(&file, &right)?;
    scene.until("the mistake to be forgotten", |components| notice(components).is_none().then_some(())).await?;
    Ok(vec![named, back])
}

/// How often each worker was started again.
fn restarts(components: &[Component]) -> BTreeMap<String, u64> {
    let worker = |component: &&Component| !matches!(component.role, Role::Keeper | Role::Supervisor | Role::Shim);
    let workers = components.iter().filter(worker);
    workers.map(|worker| (worker.name.clone(), worker.restarts)).collect()
}

/// What the supervisor has to say of the file.
fn notice(components: &[Component]) -> Option<&str> {
    components.iter().find(|component| component.role == Role::Supervisor)?.detail.as_deref()
}

fn write(file: &std::path::Path, text: &str) -> Result<(), DrillError> {
    fs::write(file, text).map_err(|source| DrillError::File { path: file.to_owned(), source })
}
