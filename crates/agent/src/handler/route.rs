//! From a request to its endpoint.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use nodepanel_backbone::{AgentHandler, Body, body};
use nodepanel_types::{
    ServerId,
    wire::{WIRE_VERSION, path},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{activity, apply, command, console, events, journal, ports, problem::Refusal, remove, stats};
use crate::{node::Node, server::Server};

/// The largest request body: a thousand servers with their configuration files.
const BODY_BYTES: usize = 16 * 1024 * 1024;

/// The agent's endpoints.
pub struct Endpoints {
    node: Arc<Node>,
    heartbeat: Duration,
}

impl Endpoints {
    /// Endpoints of `node`; streams say something at least every `heartbeat`.
    pub(crate) fn new(node: Arc<Node>, heartbeat: Duration) -> Self {
        Self { node, heartbeat }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let path = request.uri().path().to_owned();
        let (node, method) = (&self.node, request.method().clone());
        match (&method, path.as_str()) {
            (&Method::POST, path::APPLY) => return apply::answer(node, read(request).await?).await,
            (&Method::POST, path::REMOVE) => return remove::answer(node, read(request).await?).await,
            (&Method::POST, path::PORTS_CHECK) => return ports::answer(node, read(request).await?).await,
            (&Method::POST, path::PROBE) => return Ok(Response::new(body::full(content(request).await?))),
            (&Method::GET, path::EVENTS) => return Ok(events::answer(node, self.heartbeat)),
            (&Method::GET, path::JOURNAL) => return journal::answer(node, &query, self.heartbeat).await,
            _ => {}
        }
        let (server, rest) = self.server(&path)?;
        match (&method, rest) {
            (&Method::POST, "command") => command::answer(node, &server, read(request).await?).await,
            (&Method::GET, "console") => console::answer(&server, &query, self.heartbeat),
            (&Method::GET, "install/log") => console::answer_install(&server, &query, self.heartbeat),
            (&Method::GET, "stats") => stats::answer(node, &server, &query).await,
            (&Method::GET, "activity") => activity::answer(node, &server, &query).await,
            _ => Err(Refusal::no_such_path()),
        }
    }

    /// The server that a path names, and the rest of the path.
    fn server<'a>(&self, path: &'a str) -> Result<(Arc<Server>, &'a str), Refusal> {
        let rest = path.strip_prefix("/v1/servers/").ok_or_else(Refusal::no_such_path)?;
        let (id, rest) = rest.split_once('/').ok_or_else(Refusal::no_such_path)?;
        let id = id.parse::<ServerId>().map_err(|error| Refusal::invalid(error.to_string()))?;
        Ok((self.node.server(id).ok_or_else(Refusal::no_such_server)?, rest))
    }
}

#[async_trait]
impl AgentHandler for Endpoints {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn alive(&self) {
        // A blocking pool that is exhausted, or an executor that hangs, does not come back from here.
        let _ = tokio::task::spawn_blocking(|| ()).await;
    }
}

async fn content(request: Request<Body>) -> Result<Bytes, Refusal> {
    body::collect(request.into_body(), BODY_BYTES).await.map_err(|error| Refusal::invalid(error.to_string()))
}

/// The one field that every form of a message has.
#[derive(Deserialize)]
struct Form {
    v: u32,
}

async fn read<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refusal> {
    let content = content(request).await?;
    let form: Form = serde_json::from_slice(&content).map_err(|error| Refusal::invalid(error.to_string()))?;
    if form.v > WIRE_VERSION {
        return Err(Refusal::newer(form.v));
    }
    serde_json::from_slice(&content).map_err(|error| Refusal::invalid(error.to_string()))
}

/// The value of a query parameter.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A query parameter that is a number.
pub(super) fn number(query: &str, name: &str) -> Result<Option<u64>, Refusal> {
    let parse = |text: &str| text.parse().map_err(|_| Refusal::invalid(format!("`{name}` must be a whole number")));
    parameter(query, name).map(parse).transpose()
}

/// The same for one that may be negative.
pub(super) fn signed(query: &str, name: &str) -> Result<Option<i64>, Refusal> {
    let parse = |text: &str| text.parse().map_err(|_| Refusal::invalid(format!("`{name}` must be a whole number")));
    parameter(query, name).map(parse).transpose()
}

/// The answer to a change that has nothing to tell.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
