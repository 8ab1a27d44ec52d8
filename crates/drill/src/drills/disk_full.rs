//! The disk that holds the installation's data is full, for a time: control plane and agent alike.
//!
//! Users go on meanwhile. Reads must be answered as always; a write must be refused as what it is, so that whoever asked
//! can ask again, and be done once when there is room. The load judges that.

use std::time::Duration;

use nodepanel_types::problem::ProblemCode;
use tokio::time::sleep;

use super::probe::{Reader, until_refused, until_written};
use crate::{check::Fault, error::DrillError, http::Connection, load::Load, scene::Scene};

/// How long the disk stays full after the first write was refused.
const FULL: Duration = Duration::from_secs(2);

/// Fills it; times until a write is acknowledged after there is room again.
pub async fn once(scene: &Scene, load: &Load, faults: &mut Vec<Fault>) -> Result<Vec<Duration>, DrillError> {
    let disk = scene.small_disk()?;
    let mut connection = Connection::new(load.access().clone());
    let reader = Reader::begin(load.access(), None).await?;
    disk.fill()?;
    let refused = until_refused(&mut connection, &[ProblemCode::DiskFull]).await;
    if refused.is_ok() {
        sleep(FULL).await;
    }
    disk.make_room()?;
    refused?;
    let (back, _) = until_written(&mut connection).await?;
    faults.extend(reader.end().await.faults);
    Ok(vec![back])
}
