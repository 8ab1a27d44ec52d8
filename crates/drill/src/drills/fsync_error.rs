//! The disk does not keep what is written, and says so: each `fsync` fails, first for those who write the store, then
//! for the agent.
//!
//! Users go on meanwhile. Whoever has signed in stays so and is answered; a write is refused as what it is, or told to
//! be of unknown outcome, and is done once when the disk keeps it. Nobody may be taken for hung, no game may notice.
//! What was refused is in the log all the same and looks whole: every other time the API servers are killed while the
//! disk fails, so that the next ones find it there, read the whole store before they serve from it, and whoever was
//! told “unknown” finds out under their key.

use std::time::Duration;

use nodepanel_types::{component::Role, problem::ProblemCode};
use tokio::time::{Instant, sleep};

use super::{
    person::sign_in,
    probe::{Reader, Seen, Still, until_refused, until_written},
};
use crate::{
    check::Fault,
    error::DrillError,
    http::Connection,
    load::Load,
    scene::{Part, Scene},
};

/// How long the disk goes on failing after that is noticed.
const FAILING: Duration = Duration::from_secs(2);

/// Lets both fail; the slowest read meanwhile, and the times until a write and a line are acknowledged.
pub async fn once(
    scene: &Scene,
    load: &Load,
    repetition: u32,
    faults: &mut Vec<Fault>,
) -> Result<Vec<Duration>, DrillError> {
    let (store, written) = of_the_store(scene, load, repetition % 2 == 1, faults).await?;
    let (node, typed) = of_the_node(scene, load, faults).await?;
    Ok(vec![store.slowest.max(node.slowest), written, typed])
}

/// The disk of the control plane. `killed`: it still fails when the API servers end.
async fn of_the_store(
    scene: &Scene,
    load: &Load,
    killed: bool,
    faults: &mut Vec<Fault>,
) -> Result<(Seen, Duration), DrillError> {
    let rest: &[Role] = if killed { &[Role::Api] } else { &[] };
    let before = Still::of(scene, load, rest).await?;
    let mut servers = Vec::new();
    for name in scene.api_servers().await? {
        servers.push(scene.part(&name).await?);
    }
    let reader = Reader::begin(load.access(), Some(sign_in(scene).await?)).await?;
    let mut connection = Connection::new(load.access().clone());
    let failure = scene.failing_disk()?.fail(&servers.iter().collect::<Vec<_>>()).await?;
    let refused = until_refused(&mut connection, &[ProblemCode::DiskFailing]).await;
    if refused.is_ok() {
        sleep(FAILING).await;
    }
    let mut seen = reader.end().await;
    faults.append(&mut seen.faults);
    if killed {
        connection.close();
        kill(scene, &servers).await?;
    }
    failed(failure.end().await?, "store")?;
    refused?;
    let begun = Instant::now();
    if killed {
        scene.ready().await?;
    }
    until_written(&mut connection).await?;
    let back = begun.elapsed();
    scene.ready().await?;
    faults.extend(before.against(scene, load, rest).await?);
    Ok((seen, back))
}

async fn kill(scene: &Scene, servers: &[Part]) -> Result<(), DrillError> {
    for server in servers {
        scene.announce(server, "fsync-error").await?;
    }
    for server in servers {
        server.kill()?;
    }
    for server in servers {
        server.ended().await?;
    }
    Ok(())
}

/// The disk of this machine's agent.
async fn of_the_node(scene: &Scene, load: &Load, faults: &mut Vec<Fault>) -> Result<(Seen, Duration), DrillError> {
    let before = Still::of(scene, load, &[]).await?;
    let agent = scene.part("agent").await?;
    let game = load.games().first().ok_or_else(|| DrillError::Missing { part: "game server".to_owned() })?;
    let reader = Reader::begin(load.access(), None).await?;
    let failure = scene.failing_disk()?.fail(&[&agent]).await?;
    sleep(FAILING).await;
    failed(failure.end().await?, "agent's database")?;
    let begun = Instant::now();
    load.press(game).await?;
    let back = begun.elapsed();
    let mut seen = reader.end().await;
    faults.append(&mut seen.faults);
    scene.ready().await?;
    faults.extend(before.against(scene, load, &[]).await?);
    Ok((seen, back))
}

/// A drill that broke nothing has shown nothing.
fn failed(syncs: usize, whose: &str) -> Result<(), DrillError> {
    if syncs > 0 {
        return Ok(());
    }
    Err(DrillError::Impossible { reason: format!("strace let no sync of the {whose} fail") })
}
