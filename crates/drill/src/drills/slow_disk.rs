//! The disk that holds the installation's data answers nothing, for a time: whoever writes to it waits.
//!
//! Users go on meanwhile. Who reads must be answered as always; who writes waits, or is told to come again. Nobody may
//! be taken for hung because of the disk, no game may notice, and no machine may be said to be away.

use std::time::Duration;

use nodepanel_types::problem::ProblemCode;

use super::probe::{Reader, Still, Written, until_written, write};
use crate::{check::Fault, error::DrillError, http::Connection, load::Load, scene::Scene};

/// How long it answers nothing.
const PAUSE: Duration = Duration::from_secs(2);

/// Stops it; the slowest read meanwhile, and the time until a write is acknowledged after it goes on.
pub async fn once(scene: &Scene, load: &Load, faults: &mut Vec<Fault>) -> Result<Vec<Duration>, DrillError> {
    let before = Still::of(scene, load, &[]).await?;
    let mut meanwhile = Connection::new(load.access().clone());
    let mut afterwards = Connection::new(load.access().clone());
    let reader = Reader::begin(load.access(), None).await?;
    let pause = scene.slow_disk()?.pause(PAUSE).await?;
    let (asked, back) = tokio::join!(write(&mut meanwhile), async {
        pause.over().await?;
        until_written(&mut afterwards).await
    });
    match asked? {
        Written::Done(_) | Written::Refused(ProblemCode::StoreUnavailable | ProblemCode::OutcomeUnknown) => {}
        Written::Refused(other) => {
            let what = format!("a write to a disk that did not answer was refused with {}", other.as_str());
            faults.push(Fault::Seen(what));
        }
    }
    let seen = reader.end().await;
    faults.extend(seen.faults);
    scene.ready().await?;
    faults.extend(before.against(scene, load, &[]).await?);
    Ok(vec![seen.slowest, back?.0])
}
