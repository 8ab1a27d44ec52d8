//! Twenty times the usual load at once, from clients that ask again without being patient: what is let in is answered in
//! time, the rest is told when to come again, and nobody is left without an answer.

use std::{sync::Arc, time::Duration};

use http::Method;
use nodepanel_types::problem::{Problem, ProblemCode};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::person::Person;
use crate::{
    error::DrillError,
    http::{Access, Connection, Request, Try},
    load::mark,
    scene::{PATIENCE, Scene},
};

/// Clients of the storm, and what each asks for in a second: 4,000 in all, twenty times the 200 of the load.
const CLIENTS: u32 = 200;
const RATE: u32 = 20;
/// Writes that are repeated, each by many clients under one key.
const WRITES: usize = 8;
/// How long it blows.
const LASTS: Duration = Duration::from_secs(4);
/// How long a try may take before nobody was there for it.
const TRY: Duration = Duration::from_secs(10);
/// Answers in a row that show that it is over.
const CALM: u32 = 20;

/// What one client met.
#[derive(Debug, Default)]
struct Met {
    /// The times of what was let in.
    admitted: Vec<Duration>,
    /// How often it was told to come again later.
    shed: u64,
    /// What should not have been answered, or was not.
    wrong: Option<String>,
}

/// Lets it blow once; the 99th percentile of what was let in, and the time until everything is let in again.
pub async fn once(scene: &Scene) -> Result<Vec<Duration>, DrillError> {
    let person = Person::new(scene.access()).await?;
    let requests: Arc<[Request]> = requests().into();
    let until = Instant::now() + LASTS;
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(insist(number, person.access.clone(), Arc::clone(&requests), until));
    }
    let mut all = Met::default();
    while let Some(met) = clients.join_next().await {
        let met = met.unwrap_or_else(|error| Met { wrong: Some(error.to_string()), ..Met::default() });
        all.admitted.extend(met.admitted);
        all.shed += met.shed;
        all.wrong = all.wrong.or(met.wrong);
    }
    let calm = calm(&person.access, &requests).await;
    person.leave(scene.access()).await?;
    let failed = |answer: String| Err(DrillError::Answer { what: "a storm of requests".to_owned(), answer });
    if let Some(answer) = all.wrong {
        return failed(answer);
    }
    all.admitted.sort_unstable();
    let place = (all.admitted.len() * 99).div_ceil(100).saturating_sub(1);
    let Some(p99) = all.admitted.get(place) else {
        return failed(format!("nothing was let in, and {} requests were refused", all.shed));
    };
    Ok(vec![*p99, calm?])
}

/// Lists, single things and keyed writes, as panels ask for them.
fn requests() -> Vec<Request> {
    let reads = ["/api/v1/servers?limit=50", "/api/v1/session", "/api/v1/templates?limit=50", "/api/v1/session"];
    let reads = reads.into_iter().cycle().take(WRITES).map(Request::get);
    let writes = (0..WRITES).map(|_| Request::keyed(Method::POST, "/api/v1/keys", &json!({"name": "storm"}), mark()));
    reads.zip(writes).flat_map(|(read, write)| [read, write]).collect()
}

/// Asks at fixed instants, whatever is answered.
async fn insist(number: u32, access: Access, requests: Arc<[Request]>, until: Instant) -> Met {
    let mut connection = Connection::new(access);
    let mut met = Met::default();
    let period = Duration::from_secs(1) / RATE;
    let mut due = Instant::now() + period * number / CLIENTS;
    let skipped = usize::try_from(number).unwrap_or_default();
    for request in requests.iter().cycle().skip(skipped) {
        sleep_until(due).await;
        due += period;
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        match connection.attempt(request, TRY).await {
            Try::Answered(answer) if (200..300).contains(&answer.status) => met.admitted.push(begun.elapsed()),
            Try::Answered(answer) if answer.status == 503 => {
                let problem = serde_json::from_slice::<Problem>(&answer.body).ok();
                let told = problem.is_some_and(|problem| problem.code == ProblemCode::Overloaded);
                if !told || answer.retry_after.is_none_or(|seconds| seconds == 0) {
                    met.wrong = Some(answer.text());
                }
                met.shed += 1;
            }
            other => met.wrong = Some(format!("{} {}: {other:?}", request.method, request.path)),
        }
    }
    met
}

/// Waits until requests of every kind are let in again.
async fn calm(access: &Access, requests: &[Request]) -> Result<Duration, DrillError> {
    let begun = Instant::now();
    let mut connection = Connection::new(access.clone());
    let mut in_a_row = 0;
    for request in requests.iter().cycle() {
        if begun.elapsed() > PATIENCE {
            break;
        }
        match connection.attempt(request, TRY).await {
            Try::Answered(answer) if (200..300).contains(&answer.status) => in_a_row += 1,
            _ => in_a_row = 0,
        }
        if in_a_row >= CALM {
            return Ok(begun.elapsed());
        }
    }
    Err(DrillError::Late { what: "the end of the storm".to_owned(), waited: begun.elapsed() })
}
