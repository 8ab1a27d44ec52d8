//! The disk that holds the installation's data is full, for a time: control plane and agent alike.
//!
//! Users go on meanwhile. Reads must be answered as always; a write must be refused as what it is, so that whoever asked
//! can ask again, and be done once when there is room. The load judges that.

use std::time::Duration;

use http::Method;
use nodepanel_types::problem::{Problem, ProblemCode};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    error::DrillError,
    http::{Connection, Request, Try},
    load::{Load, mark},
    scene::{PATIENCE, Scene},
};

/// How long the disk stays full after the first write was refused.
const FULL: Duration = Duration::from_secs(2);
/// How long one try may take, and the pause before the next.
const TRY: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Fills it; times until a write is acknowledged after there is room again.
pub async fn once(scene: &Scene, load: &Load) -> Result<Vec<Duration>, DrillError> {
    let disk = scene.disk()?;
    let mut connection = Connection::new(load.access().clone());
    disk.fill()?;
    let refused = refused(&mut connection).await;
    if refused.is_ok() {
        sleep(FULL).await;
    }
    let begun = Instant::now();
    disk.make_room()?;
    refused?;
    while write(&mut connection).await?.is_some() {
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late {
                what: "a write after there was room again".to_owned(),
                waited: begun.elapsed(),
            });
        }
        sleep(PAUSE).await;
    }
    Ok(vec![begun.elapsed()])
}

/// Writes until that is refused because the disk is full; reads then, as the same user.
async fn refused(connection: &mut Connection) -> Result<(), DrillError> {
    let begun = Instant::now();
    loop {
        match write(connection).await? {
            Some(ProblemCode::DiskFull) => break,
            Some(ProblemCode::StoreUnavailable | ProblemCode::OutcomeUnknown) | None => {}
            Some(other) => {
                let what = "a write to a full disk".to_owned();
                return Err(DrillError::Answer { what, answer: other.as_str().to_owned() });
            }
        }
        if begun.elapsed() > PATIENCE {
            return Err(DrillError::Late { what: "a write that is refused".to_owned(), waited: begun.elapsed() });
        }
        sleep(PAUSE).await;
    }
    match connection.attempt(&Request::get("/api/v1/session"), TRY).await {
        Try::Answered(answer) if answer.status == 200 => Ok(()),
        other => Err(DrillError::Answer {
            what: "who is signed in, on a full disk".to_owned(),
            answer: format!("{other:?}"),
        }),
    }
}

/// A write that no judge looks at; `None` when it was acknowledged.
async fn write(connection: &mut Connection) -> Result<Option<ProblemCode>, DrillError> {
    let request = Request::keyed(Method::POST, "/api/v1/nodes", &json!({"name": mark()}), mark());
    match connection.attempt(&request, TRY).await {
        Try::Answered(answer) if answer.status == 201 => Ok(None),
        Try::Answered(answer) => match serde_json::from_slice::<Problem>(&answer.body) {
            Ok(problem) => Ok(Some(problem.code)),
            Err(_) => Err(DrillError::Answer { what: "a write".to_owned(), answer: answer.text() }),
        },
        other => Err(DrillError::Answer { what: "a write".to_owned(), answer: format!("{other:?}") }),
    }
}
