//! Requests as they arrive at the agent: the link's own are answered here, all others by the handler.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use nodepanel_types::wire::path;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    LinkContext, RenewError,
    session::{Dialled, Session},
};
use crate::{
    Body, Problem,
    body::{self, BodyError, Stall},
    tls::Purpose,
    wire::{self, Goodbye, Hello, HelloReply, Instances},
};

/// The longest message of the link's own.
const MAX_MESSAGE: usize = 64 * 1024;

pub(super) async fn answer(session: &Arc<Session>, request: Request<Incoming>) -> Response<Body> {
    let timing = &session.shared.timing;
    let stall = Stall { sender: Some(timing.body_stall), reader: timing.body_stall };
    let request = request.map(|content| body::guard(content, stall));
    let response = match request.uri().path() {
        wire::HELLO => hello(session, request).await,
        wire::INSTANCES => instances(session, request).await,
        wire::GOODBYE => goodbye(session, request).await,
        path::PROBE => probe(session, request).await,
        path::IDENTITY_CSR => certificate_request(session).await,
        path::IDENTITY_CERTIFICATE => certificate(session, request).await,
        _ => return handled(session, request).await,
    };
    response.unwrap_or_else(|problem| respond(StatusCode::BAD_REQUEST, &problem))
}

/// Runs the handler. What may change something is not cancelled with the connection.
async fn handled(session: &Arc<Session>, mut request: Request<Body>) -> Response<Body> {
    let Some(instance) = session.instance.get().copied() else {
        return respond(StatusCode::CONFLICT, &problem("no_hello", "The API server has not said hello."));
    };
    let bulk = session.facts.purpose == Purpose::Bulk;
    request.extensions_mut().insert(LinkContext { instance, bulk });
    let handler = Arc::clone(&session.shared.handler);
    let response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        handler.handle(request).await
    } else {
        let running = tokio::spawn(async move { handler.handle(request).await });
        let Ok(response) = running.await else {
            let failed = problem("internal", "The agent failed while it handled this request; see its log.");
            return respond(StatusCode::INTERNAL_SERVER_ERROR, &failed);
        };
        response
    };
    // Whether silence is right is the handler's affair; a reader that takes nothing is not.
    response.map(|content| body::guard(content, Stall { sender: None, reader: session.shared.timing.body_stall }))
}

async fn hello(session: &Arc<Session>, request: Request<Body>) -> Result<Response<Body>, Problem> {
    let hello: Hello = read(request).await?;
    if session.instance.set(hello.instance).is_err() {
        return Err(problem("second_hello", "The API server has said hello before."));
    }
    let shared = &session.shared;
    let duplicate = shared.board.hello(&session.facts, &hello);
    if duplicate {
        // The API server closes it when it has read the answer; this makes sure.
        session.facts.stop.cancel();
    }
    session.settle(Ok(if duplicate { Dialled::Duplicate } else { Dialled::Linked }));
    let reply =
        HelloReply { epoch: shared.board.epoch, duplicate, version: shared.version.clone(), now: shared.clock.now() };
    Ok(respond(StatusCode::OK, &reply))
}

async fn instances(session: &Arc<Session>, request: Request<Body>) -> Result<Response<Body>, Problem> {
    let news: Instances = read(request).await?;
    if let Some(instance) = session.instance.get() {
        session.shared.board.instances(&session.facts, *instance, &news.instances);
    }
    Ok(nothing())
}

async fn goodbye(session: &Arc<Session>, request: Request<Body>) -> Result<Response<Body>, Problem> {
    let goodbye: Goodbye = read(request).await?;
    tracing::debug!(link.address = %session.facts.address, "An API server closes a link: {goodbye}.");
    // The first reason is the cause.
    let _ = session.goodbye.set(goodbye);
    session.facts.stop.cancel();
    Ok(nothing())
}

/// The same bytes back, after the agent has shown that it can work.
async fn probe(session: &Arc<Session>, request: Request<Body>) -> Result<Response<Body>, Problem> {
    let content = content(request).await?;
    session.shared.handler.alive().await;
    Ok(Response::new(body::full(content)))
}

async fn certificate_request(session: &Arc<Session>) -> Result<Response<Body>, Problem> {
    let request = session.shared.keeper.request().await.map_err(|error| renewal(&error))?;
    Ok(Response::new(body::full(request.csr().to_owned())))
}

async fn certificate(session: &Arc<Session>, request: Request<Body>) -> Result<Response<Body>, Problem> {
    let content = content(request).await?;
    let text = std::str::from_utf8(&content).map_err(|_| problem("malformed", "The certificate is not PEM."))?;
    session.shared.keeper.install(text).await.map_err(|error| renewal(&error))?;
    Ok(nothing())
}

fn renewal(error: &RenewError) -> Problem {
    tracing::warn!(%error, "This node's certificate was not renewed.");
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Problem { kind: "renewal".to_owned(), title: error.to_string(), detail: cause }
}

async fn content(request: Request<Body>) -> Result<Bytes, Problem> {
    let broken = |error: BodyError| problem("malformed", &format!("The message broke off: {error}."));
    body::collect(request.into_body(), MAX_MESSAGE).await.map_err(broken)
}

async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Problem> {
    let content = content(request).await?;
    serde_json::from_slice(&content)
        .map_err(|error| problem("malformed", &format!("The message is not understood: {error}.")))
}

fn problem(kind: &str, title: &str) -> Problem {
    Problem { kind: kind.to_owned(), title: title.to_owned(), detail: String::new() }
}

fn nothing() -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn respond<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let mut response = Response::new(body::full(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    response
}
