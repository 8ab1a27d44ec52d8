//! `role status`: the last-resort answer.
//!
//! Holds the panel's socket like the API servers, and accepts from it only while none of them has been ready for a
//! while: short gaps are bridged by the socket's queue, longer ones are better told than waited through. Every answer
//! is 503 with `Retry-After`, a problem document for programs and a page for people, and closes its connection, so that
//! the next one reaches an API server as soon as there is one.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nodepanel_supervise::{
    sockets::Inherited,
    worker::{About, Worker},
};
use nodepanel_types::{
    WorkerId,
    clock::IdSource as _,
    component::{ComponentState, Role},
    problem::{Problem, ProblemCode},
};
use tokio::{net::TcpListener, sync::watch, time::Instant};

use crate::{local::log_to_stderr, system::SystemIds};

/// How often the supervisor is asked.
const ASK: Duration = Duration::from_millis(200);
/// How long no API server may be ready before this process answers in their place.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a client may take.
const CLIENT: Duration = Duration::from_secs(5);
/// Clients at once; more wait in the queue.
const CLIENTS: usize = 256;

/// Runs until it is asked to end.
pub fn run() -> anyhow::Result<()> {
    let inherited = Inherited::from_env();
    log_to_stderr();
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
    tokio::spawn(watch_api_servers(worker.clone(), sender));
    worker.ready();
    tokio::select! {
        () = answer(listener, outage) => {}
        () = worker.drain_asked() => {}
        () = crate::role::terminated() => {}
    }
    Ok(())
}

/// Says whether no API server has been ready for too long. Without the supervisor's word nothing changes.
async fn watch_api_servers(worker: Worker, outage: watch::Sender<bool>) {
    let mut last_ready = Instant::now();
    loop {
        if let Ok(components) = worker.status().await {
            let ready = components
                .iter()
                .any(|component| component.role == Role::Api && component.state == ComponentState::Ready);
            if ready {
                last_ready = Instant::now();
            }
            let now = !ready && last_ready.elapsed() > PATIENCE;
            if outage.send_if_modified(|before| std::mem::replace(before, now) != now) {
                if now {
                    tracing::error!("no API server is ready; answering in their place");
                } else {
                    tracing::info!("an API server is ready again");
                }
            }
        }
        tokio::time::sleep(ASK).await;
    }
}

async fn answer(listener: TcpListener, mut outage: watch::Receiver<bool>) {
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
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(async move {
            let _place = place;
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service_fn(|request| async move { sorry(&request) }));
            // A client that is too slow or breaks off gets nothing, and needs nothing.
            let _ = tokio::time::timeout(CLIENT, connection).await;
        });
    }
}

fn sorry(request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, http::Error> {
    let wants_page =
        request.headers().get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    let mut problem = Problem::new(
        ProblemCode::NotReady,
        "The control panel is being restarted. Game servers go on. This resolves by itself; try again in a moment.",
    );
    problem.retry_after_s = Some(1);
    let (kind, body) = if wants_page {
        ("text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes()))
    } else {
        ("application/problem+json", serde_json::to_vec(&problem).unwrap_or_default().into())
    };
    Response::builder()
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .header(header::CONTENT_TYPE, HeaderValue::from_static(kind))
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Full::new(body))
}

/// Needs nothing that could be missing: no script, no style from elsewhere. The browser asks again by itself.
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"2\">\
    <meta name=\"color-scheme\" content=\"light dark\"><title>NodePanel is restarting</title></head>\
    <body><h1>The control panel is restarting</h1>\
    <p>Game servers go on; only the panel is away. This page looks again every two seconds.</p></body></html>";
