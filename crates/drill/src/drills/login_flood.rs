//! Wrong passwords for one account from one address, as many as it takes: others sign in meanwhile, into that very
//! account too, and few of the guesses are even looked at.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use http::Method;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::person::Person;
use crate::{
    error::DrillError,
    http::{Access, Connection, Request, Try},
    scene::Scene,
};

/// Where the flood comes from.
const FLOOD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Connections of the flood; each asks again as soon as it is answered.
const STREAMS: usize = 16;
/// The flood runs for so long before anybody else signs in.
const RISE: Duration = Duration::from_millis(300);
/// Sign-ins of others in one repetition.
const LOGINS: usize = 5;
/// Guesses of one address that are looked at: ten at once, and one more every 6 s. API servers tell each other what they
/// counted twice in a second, so that in a sudden flood each may look at as many.
const GUESSES: u32 = 12;
/// How long a try may take.
const TRY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Flood {
    ended: AtomicBool,
    looked_at: AtomicU32,
    refused: AtomicU32,
}

/// Lets the flood rise, signs in from elsewhere, and times the slowest of these; ends the flood.
pub async fn once(scene: &Scene) -> Result<Vec<Duration>, DrillError> {
    let person = Person::new(scene.access()).await?;
    let flood = Arc::new(Flood::default());
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        streams.spawn(guess(scene.access().clone(), person.email.clone(), Arc::clone(&flood)));
    }
    sleep(RISE).await;
    let signed_in = sign_in(scene.access(), &person).await;
    flood.ended.store(true, Ordering::Relaxed);
    let mut wrong = None;
    while let Some(ended) = streams.join_next().await {
        wrong = wrong.or(ended.unwrap_or_else(|error| Some(error.to_string())));
    }
    person.leave(scene.access()).await?;
    let failed = |what: &str, answer: String| Err(DrillError::Answer { what: what.to_owned(), answer });
    if let Some(answer) = wrong {
        return failed("a flood of wrong passwords", answer);
    }
    let servers = u32::try_from(scene.api_servers().await?.len()).unwrap_or(u32::MAX);
    let (looked_at, refused) = (flood.looked_at.load(Ordering::Relaxed), flood.refused.load(Ordering::Relaxed));
    if looked_at > GUESSES.saturating_mul(servers) || refused == 0 {
        return failed("a flood of wrong passwords", format!("{looked_at} guesses were looked at, {refused} refused"));
    }
    signed_in.map(|slowest| vec![slowest])
}

/// Signs in from the usual address, again and again; the slowest.
async fn sign_in(access: &Access, person: &Person) -> Result<Duration, DrillError> {
    let mut slowest = Duration::ZERO;
    for _ in 0..LOGINS {
        let begun = Instant::now();
        let mut connection = Connection::new(access.clone());
        match connection.attempt(&credentials(&person.email, &person.password), TRY).await {
            Try::Answered(answer) if answer.status == 200 => slowest = slowest.max(begun.elapsed()),
            other => {
                let answer = format!("{other:?}");
                return Err(DrillError::Answer { what: "signing in while another address floods".to_owned(), answer });
            }
        }
    }
    Ok(slowest)
}

/// Guesses until the flood ends; what was answered that should not have been.
async fn guess(access: Access, email: String, flood: Arc<Flood>) -> Option<String> {
    let mut connection = Connection::from_address(access, FLOOD);
    let request = credentials(&email, "a guess that is wrong");
    while !flood.ended.load(Ordering::Relaxed) {
        match connection.attempt(&request, TRY).await {
            Try::Answered(answer) if answer.status == 403 => flood.looked_at.fetch_add(1, Ordering::Relaxed),
            Try::Answered(answer) if matches!(answer.status, 429 | 503) && answer.retry_after.is_some() => {
                flood.refused.fetch_add(1, Ordering::Relaxed)
            }
            // Refused before its body was read, the connection ends; the next guess comes over another one.
            Try::Broken(_) => 0,
            other => return Some(format!("{other:?}")),
        };
    }
    None
}

fn credentials(email: &str, password: &str) -> Request {
    let body = json!({"email": email, "password": password}).to_string().into();
    Request { method: Method::POST, path: "/api/v1/session".to_owned(), body, key: None, cookie: None }
}
