//! Requests and streams to one agent.
//!
//! A `Link` is the connections as they were when it was taken from the registry: keep it for one piece of work, not
//! for long. Every call has a deadline; nothing is repeated here, because only the caller knows whether it may be.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Incoming};
use nodepanel_types::NodeId;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    Body, LineStream, LinkError, LinkTiming, Problem,
    body::{self, Stall},
    registry::{
        Connection,
        connection::{json_request, parse_path},
    },
};

/// Requests under way on one connection.
pub(crate) const REQUESTS: usize = 1_500;
/// Streams under way on one connection. Times the window of a stream this is 96 MB: readers that all stall leave a
/// quarter of the connection's window to everything else.
pub(crate) const STREAMS: usize = 384;
/// Bulk transfers at once with one node.
pub(crate) const BULK_TRANSFERS: usize = 4;
/// The longest answer that is read into memory.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The longest explanation of a refusal that is read.
const MAX_PROBLEM: usize = 64 * 1024;

/// The default deadline of one try; after it the caller asks another API server's link.
pub const TRY: Duration = Duration::from_millis(500);

/// How long the parts of a stream may take.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Until the head of the answer is there. An agent that answers after the whole upload needs a long one.
    pub head: Duration,
    /// How long the agent may send nothing. Streams of lines send something every 5 s.
    pub silence: Option<Duration>,
    /// How long the reader may take nothing before the stream is reset.
    pub reader: Duration,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { head: Duration::from_secs(2), silence: Some(Duration::from_secs(15)), reader: Duration::from_secs(30) }
    }
}

/// A node, over the connections that this API server has with its agent.
#[derive(Clone)]
pub struct Link {
    control: Arc<Connection>,
    bulk: Option<Arc<Connection>>,
    bulk_limit: Arc<Semaphore>,
    timing: LinkTiming,
}

impl Link {
    pub(crate) fn new(
        control: Arc<Connection>,
        bulk: Option<Arc<Connection>>,
        bulk_limit: Arc<Semaphore>,
        timing: LinkTiming,
    ) -> Self {
        Self { control, bulk, bulk_limit, timing }
    }

    /// The node at the other end.
    pub fn node(&self) -> NodeId {
        self.control.facts().node
    }

    /// The epoch of the agent at the other end.
    pub fn epoch(&self) -> u64 {
        self.control.facts().epoch
    }

    /// Sends a request and reads the whole answer, of at most 16 MB, whatever its status. Of the URI only path and
    /// query count.
    pub async fn request(&self, request: Request<Bytes>, deadline: Duration) -> Result<Response<Bytes>, LinkError> {
        exchange(&self.control, request.map(body::full), deadline).await
    }

    /// POSTs JSON and reads JSON. Anything but a 2xx is [`LinkError::Refused`]; an empty answer reads as `null`.
    pub async fn call<Q: Serialize + ?Sized, A: DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
        deadline: Duration,
    ) -> Result<A, LinkError> {
        read_json(exchange(&self.control, json_request(path, request)?, deadline).await?)
    }

    /// GETs JSON. Errors as for [`Link::call`].
    pub async fn get<A: DeserializeOwned>(&self, path: &str, deadline: Duration) -> Result<A, LinkError> {
        read_json(exchange(&self.control, get_request(path)?, deadline).await?)
    }

    /// Sends a request whose body, or whose answer's body, is a stream. Dropping the answer's body resets the stream.
    /// Anything but a 2xx is [`LinkError::Refused`].
    pub async fn stream(&self, request: Request<Body>, options: &StreamOptions) -> Result<Response<Body>, LinkError> {
        open(&self.control, request, options, &self.timing, None).await
    }

    /// GETs a stream of lines.
    pub async fn lines(&self, path: &str, options: &StreamOptions) -> Result<LineStream, LinkError> {
        let response = self.stream(get_request(path)?, options).await?;
        Ok(LineStream::new(response.into_body()))
    }

    /// Waits for its turn to transfer something large, which then goes over a connection of its own.
    pub async fn bulk(&self, deadline: Duration) -> Result<BulkPermit, LinkError> {
        let connection = self.bulk.clone().ok_or(LinkError::NotConnected { node: self.node() })?;
        let busy = || LinkError::Busy { what: "bulk transfers", limit: BULK_TRANSFERS };
        let acquired = timeout(deadline, Arc::clone(&self.bulk_limit).acquire_owned()).await.map_err(|_| busy())?;
        let permit = acquired.map_err(|_| busy())?;
        Ok(BulkPermit { connection, permit, timing: self.timing.clone() })
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("facts", self.control.facts()).finish_non_exhaustive()
    }
}

/// The turn to transfer something large; given back when the answer's body is dropped or complete.
pub struct BulkPermit {
    connection: Arc<Connection>,
    permit: OwnedSemaphorePermit,
    timing: LinkTiming,
}

impl BulkPermit {
    /// As [`Link::stream`], over the bulk connection.
    pub async fn stream(self, request: Request<Body>, options: &StreamOptions) -> Result<Response<Body>, LinkError> {
        open(&self.connection, request, options, &self.timing, Some(self.permit)).await
    }
}

impl std::fmt::Debug for BulkPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BulkPermit").finish_non_exhaustive()
    }
}

fn get_request(path: &str) -> Result<Request<Body>, LinkError> {
    let mut request = Request::new(body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = parse_path(path)?;
    Ok(request)
}

/// One request and its whole answer within one deadline.
pub(crate) async fn exchange(
    connection: &Arc<Connection>,
    request: Request<Body>,
    deadline: Duration,
) -> Result<Response<Bytes>, LinkError> {
    let _permit =
        connection.requests.try_acquire().map_err(|_| LinkError::Busy { what: "requests", limit: REQUESTS })?;
    let until = Instant::now() + deadline;
    let response = connection.send(request, deadline).await?;
    let (head, content) = response.into_parts();
    let content = content.map_err(|error| broken(connection, &error));
    let read = timeout_at(until, body::collect(content, MAX_ANSWER)).await;
    match read {
        Ok(content) => Ok(Response::from_parts(head, content?)),
        Err(_) => Err(LinkError::Deadline { after: deadline }),
    }
}

async fn open(
    connection: &Arc<Connection>,
    request: Request<Body>,
    options: &StreamOptions,
    timing: &LinkTiming,
    bulk: Option<OwnedSemaphorePermit>,
) -> Result<Response<Body>, LinkError> {
    let permit = Arc::clone(&connection.streams)
        .try_acquire_owned()
        .map_err(|_| LinkError::Busy { what: "streams", limit: STREAMS })?;
    let upload = Stall { sender: Some(timing.body_stall), reader: timing.body_stall };
    let response = connection.send(request.map(|content| body::guard(content, upload)), options.head).await?;
    if !response.status().is_success() {
        return Err(refusal(connection, response, options.head).await);
    }
    let stall = Stall { sender: options.silence, reader: options.reader };
    let held = Held { content: None, permits: Some((permit, bulk)), connection: Arc::clone(connection) };
    Ok(response.map(|content| body::guard(Held { content: Some(content), ..held }, stall)))
}

async fn refusal(connection: &Connection, response: Response<Incoming>, deadline: Duration) -> LinkError {
    let status = response.status();
    let content = response.into_body().map_err(|error| broken(connection, &error));
    match timeout(deadline, body::collect(content, MAX_PROBLEM)).await {
        Ok(Ok(content)) => refused(status, &content),
        Ok(Err(error)) => LinkError::from(error),
        Err(_) => LinkError::Deadline { after: deadline },
    }
}

fn refused(status: http::StatusCode, content: &[u8]) -> LinkError {
    let problem = serde_json::from_slice(content).unwrap_or_else(|_| Problem {
        kind: String::new(),
        title: String::from_utf8_lossy(content).chars().take(500).collect(),
        detail: String::new(),
    });
    LinkError::Refused { status, problem }
}

fn read_json<A: DeserializeOwned>(response: Response<Bytes>) -> Result<A, LinkError> {
    let (head, content) = response.into_parts();
    if !head.status.is_success() {
        return Err(refused(head.status, &content));
    }
    let content: &[u8] = if content.is_empty() { b"null" } else { &content };
    serde_json::from_slice(content).map_err(|error| LinkError::unreadable("the node's answer", &error))
}

fn broken(connection: &Connection, error: &hyper::Error) -> body::BodyError {
    body::BodyError::Broken { why: connection.why().unwrap_or_else(|| error.to_string()) }
}

/// A response body that gives its permits back when it is complete or dropped.
struct Held {
    content: Option<Incoming>,
    permits: Option<(OwnedSemaphorePermit, Option<OwnedSemaphorePermit>)>,
    connection: Arc<Connection>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = body::BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, body::BodyError>>> {
        let Some(inner) = self.content.as_mut() else { return std::task::Poll::Ready(None) };
        let polled = std::pin::Pin::new(inner).poll_frame(context);
        polled.map(|frame| {
            if !matches!(frame, Some(Ok(_))) {
                self.content = None;
                self.permits = None;
            }
            frame.map(|frame| frame.map_err(|error| broken(&self.connection, &error)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.content.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.content.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}
