//! The certificate that this machine's agent shows to the API servers comes near its end, and passes it.
//!
//! The clock is set to the last days of the certificate and the agent started again, as after a long holiday; then to a
//! time when that certificate has expired, and again. The agent can only be there then if it was given another one
//! meanwhile. The clock goes on from there: set back, it would be before the beginning of the new one.

use std::{fs, path::Path, time::Duration};

use nodepanel_types::component::Role;
use tokio::time::{Instant, sleep};

use super::probe::Still;
use crate::{
    check::Fault,
    error::DrillError,
    load::Load,
    scene::{PATIENCE, Scene},
};

/// A node's certificate is valid for 30 days, and renewed in the last third of them.
const NEAR_ITS_END: i64 = 25 * DAY;
/// When that one has expired, and its successor is in its last third.
const PAST_ITS_END: i64 = 45 * DAY;
const DAY: i64 = 24 * 3_600;

/// What the agent says of a new one.
const RENEWED: &str = "certificate was renewed";
/// How often it is looked whether it has said so.
const GLANCE: Duration = Duration::from_millis(5);

/// Lets the certificate of this repetition come near its end and pass it; the times until every game is led again.
pub async fn once(
    scene: &Scene,
    load: &Load,
    repetition: u32,
    faults: &mut Vec<Fault>,
) -> Result<Vec<Duration>, DrillError> {
    let clock = scene.clock()?;
    let before = Still::of(scene, load, &[Role::Agent]).await?;
    // Each repetition is about the certificate that was issued at the end of the one before it.
    let issued = i64::from(repetition) * PAST_ITS_END;
    let log = scene.own_data_dir()?.join("logs/agent.log");
    let mut took = Vec::new();
    for moment in [NEAR_ITS_END, PAST_ITS_END] {
        clock.set(issued + moment)?;
        let renewals = count(&log)?;
        let agent = scene.part("agent").await?;
        scene.announce(&agent, "certificate-expired").await?;
        let begun = Instant::now();
        agent.kill()?;
        agent.ended().await?;
        // What is typed reaches a game over a link that was made since.
        for game in load.games() {
            load.press(game).await?;
        }
        took.push(begun.elapsed());
        renewed(&log, renewals).await?;
        scene.ready().await?;
    }
    faults.extend(before.against(scene, load, &[Role::Agent]).await?);
    Ok(took)
}

/// Waits until the agent has said once more than `before` that it has a new certificate.
async fn renewed(log: &Path, before: usize) -> Result<(), DrillError> {
    let begun = Instant::now();
    while count(log)? <= before {
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: "a new certificate".to_owned(), waited: begun.elapsed() });
        }
        sleep(GLANCE).await;
    }
    Ok(())
}

fn count(log: &Path) -> Result<usize, DrillError> {
    let text = fs::read_to_string(log).map_err(|source| DrillError::File { path: log.to_owned(), source })?;
    Ok(text.matches(RENEWED).count())
}
