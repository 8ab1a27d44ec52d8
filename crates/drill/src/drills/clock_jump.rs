//! The clock of the machine is set: half a minute forwards, and back again.
//!
//! Nothing may come of it: whoever has signed in stays so, nobody is taken for hung, no game is restarted, no machine is
//! said to be away. The load judges the rest.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    person::sign_in,
    probe::{Reader, Still, until_written},
};
use crate::{check::Fault, error::DrillError, http::Connection, load::Load, scene::Scene};

/// How far it is set, in seconds.
const FAR: i64 = 30;
/// How long it stays: longer than a machine may be silent before it counts as away.
const STAY: Duration = Duration::from_secs(2);

/// Sets it, and sets it back; the times until a write is acknowledged, and the slowest read.
pub async fn once(scene: &Scene, load: &Load, faults: &mut Vec<Fault>) -> Result<Vec<Duration>, DrillError> {
    let clock = scene.clock()?;
    let before = Still::of(scene, load, &[]).await?;
    let reader = Reader::begin(load.access(), Some(sign_in(scene).await?)).await?;
    let mut connection = Connection::new(load.access().clone());
    clock.set(FAR)?;
    let there = until_written(&mut connection).await;
    sleep(STAY).await;
    // Also when something is wrong: the next repetition begins with the right time.
    let moved = until_written(&mut connection).await;
    clock.set(0)?;
    let back = until_written(&mut connection).await;
    sleep(STAY).await;
    let seen = reader.end().await;
    faults.extend(seen.faults);
    scene.ready().await?;
    faults.extend(before.against(scene, load, &[]).await?);

    // That the installation had another time is seen in what it wrote.
    let ((there, _), (_, then), (back, now)) = (there?, moved?, back?);
    if then.since(now) < u64::try_from(FAR / 2 * 1_000).unwrap_or_default() {
        let reason = format!("libfaketime does not move the clock of this program: {then:?} and then {now:?}");
        return Err(DrillError::Impossible { reason });
    }
    Ok(vec![there, back, seen.slowest])
}
