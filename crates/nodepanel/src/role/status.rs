//! `role status`: the last-resort answer.
//!
//! Holds the panel's socket like the API servers, and accepts from it only while none of them has been ready for
//! `PATIENCE`: short gaps are bridged by the socket's queue, longer ones are better told than waited through. Every
//! answer is 503 with `Retry-After`, a problem document for programs and a page for people, and closes its connection,
//! so that the next one reaches an API server as soon as there is one. `/readyz` gives the API servers' own reasons.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nodepanel_supervise::{
    sockets::Inherited,
    wire::protocol::Condition,
    worker::{About, Worker},
};
use nodepanel_types::{
    WorkerId,
    clock::IdSource as _,
    component::ComponentState,
    problem::{Problem, ProblemCode},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};

use crate::{local::log_to_stderr, system::SystemIds};

/// How long no API server may be ready before this process answers in their place, counted from the supervisor's word,
/// which comes within milliseconds of a crash.
///
/// Not less: with every API server killed at once a replacement is to be ready within 300 ms, and after one more crash
/// within about 500 ms; who waited until then gets a real answer instead of an excuse. Not more: people are told about
/// an outage within 2 s, and a hang takes 0.7 s to be declared before this begins to count.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a client may take.
const CLIENT: Duration = Duration::from_secs(5);
/// Clients at once; more wait in the queue.
const CLIENTS: usize = 256;

/// Runs until it is asked to end.
pub fn run() -> anyhow::Result<()> {
    let inherited = Inherited::from_env();
    let _log = log_to_stderr();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(inherited))
}

async fn serve(mut inherited: Inherited) -> anyhow::Result<()> {
    let about = About {
        name: "status".to_owned(),
        worker_id: WorkerId::from_uuid(SystemIds.uuid()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let worker = Worker::from_env(about, &inherited.sockets).context("the supervisor cannot be reached")?;
    let socket = inherited.sockets.take("http").context("this role is started by the supervisor, with its socket")?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from_std(socket)?;
    let (sender, outage) = watch::channel(false);
    tokio::spawn(watch_api_servers(worker.api_servers(), sender));
    worker.ready();
    tokio::select! {
        () = answer(listener, outage, worker.api_servers()) => {}
        () = worker.drain_asked() => {}
        () = crate::role::terminated() => {}
    }
    Ok(())
}

/// How the API servers are; `None` before the supervisor has said so.
type Conditions = Option<Vec<Condition>>;

/// Whether an API server is ready. Without the supervisor's word nothing is held against them.
fn served(conditions: &Conditions) -> bool {
    conditions.as_ref().is_none_or(|servers| servers.iter().any(|server| server.state == ComponentState::Ready))
}

/// Says whether no API server has been ready for `PATIENCE`.
async fn watch_api_servers(mut conditions: watch::Receiver<Conditions>, outage: watch::Sender<bool>) {
    while conditions.wait_for(|conditions| !served(conditions)).await.is_ok() {
        if timeout(PATIENCE, conditions.wait_for(served)).await.is_ok() {
            continue;
        }
        tracing::error!("no API server is ready; answering in their place");
        outage.send_replace(true);
        if conditions.wait_for(served).await.is_err() {
            return;
        }
        tracing::info!("an API server is ready again");
        outage.send_replace(false);
    }
}

async fn answer(listener: TcpListener, mut outage: watch::Receiver<bool>, conditions: watch::Receiver<Conditions>) {
    let places = Arc::new(tokio::sync::Semaphore::new(CLIENTS));
    loop {
        if outage.wait_for(|outage| *outage).await.is_err() {
            return;
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = outage.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok((stream, _)) = accepted else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let conditions = conditions.clone();
        tokio::spawn(async move {
            let _place = place;
            let connection = http1::Builder::new().timer(TokioTimer::new()).keep_alive(false).serve_connection(
                TokioIo::new(stream),
                service_fn(|request| {
                    let answer = sorry(&request, &conditions.borrow());
                    async move { answer }
                }),
            );
            // A client that is too slow or breaks off gets nothing, and needs nothing.
            let _ = timeout(CLIENT, connection).await;
        });
    }
}

fn sorry(request: &Request<Incoming>, conditions: &Conditions) -> Result<Response<Full<Bytes>>, http::Error> {
    let wants_page =
        request.headers().get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    let (kind, body) = match request.uri().path() {
        "/readyz" => ("application/json", reasons(conditions).into()),
        _ if wants_page => ("text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes())),
        _ => ("application/problem+json", problem(conditions).into()),
    };
    Response::builder()
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Full::new(body))
}

/// What an API server says at `/readyz`, said for all of them.
fn reasons(conditions: &Conditions) -> Vec<u8> {
    let reasons: Vec<String> = conditions
        .iter()
        .flatten()
        .map(|server| format!("{}: {}", server.name, server.detail.as_deref().unwrap_or("is being started.")))
        .collect();
    serde_json::to_vec(&json!({"ready": false, "reasons": reasons, "version": env!("CARGO_PKG_VERSION")}))
        .unwrap_or_default()
}

fn problem(conditions: &Conditions) -> Vec<u8> {
    let stuck = conditions.iter().flatten().all(|server| server.state == ComponentState::Degraded);
    let detail = if stuck {
        "The control panel cannot work at the moment. Game servers go on. Its operator finds the reason with `nodepanel \
         doctor`; it goes on by itself when that is gone."
    } else {
        "The control panel is being restarted. Game servers go on. This resolves by itself; try again in a moment."
    };
    let mut problem = Problem::new(ProblemCode::NotReady, detail);
    problem.retry_after_s = Some(1);
    serde_json::to_vec(&problem).unwrap_or_default()
}

/// Needs nothing that could be missing: no script, no style from elsewhere. The browser asks again by itself.
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"2\">\
    <meta name=\"color-scheme\" content=\"light dark\"><title>NodePanel is restarting</title></head>\
    <body><h1>The control panel is restarting</h1>\
    <p>Game servers go on; only the panel is away. This page looks again every two seconds.</p></body></html>";
