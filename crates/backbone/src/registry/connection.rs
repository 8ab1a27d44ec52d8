//! One connection to an agent, over which requests are sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, Uri, uri};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use nodepanel_types::NodeId;
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Body, LinkError, body,
    link::{REQUESTS, STREAMS},
    tls::Purpose,
    wire::{self, Goodbye},
};

/// Whose connection it is.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionFacts {
    pub id: u64,
    pub node: NodeId,
    pub purpose: Purpose,
    pub epoch: u64,
    pub version: String,
    pub peer: SocketAddr,
}

/// A connection that has said hello. Its driver is a task elsewhere; cancelling `cut` ends it at once.
pub(crate) struct Connection {
    facts: ConnectionFacts,
    /// Taken when the connection is retired: no new requests, and it closes when the last answer is complete.
    sender: Mutex<Option<SendRequest<Body>>>,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    cut: CancellationToken,
    why: OnceLock<String>,
}

impl Connection {
    pub(crate) fn new(facts: ConnectionFacts, sender: SendRequest<Body>, cut: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            facts,
            sender: Mutex::new(Some(sender)),
            requests: Arc::new(Semaphore::new(REQUESTS)),
            streams: Arc::new(Semaphore::new(STREAMS)),
            cut,
            why: OnceLock::new(),
        })
    }

    pub(crate) fn facts(&self) -> &ConnectionFacts {
        &self.facts
    }

    pub(crate) fn is_live(&self) -> bool {
        self.lock().as_ref().is_some_and(|sender| !sender.is_closed())
    }

    /// Ends it at once, for a reason of ours.
    pub(crate) fn cut(&self, why: String) {
        // The first reason is the cause, later ones are consequences.
        let _ = self.why.set(why);
        self.lock().take();
        self.cut.cancel();
    }

    /// Why it was ended by us, if it was.
    pub(crate) fn why(&self) -> Option<String> {
        self.why.get().cloned()
    }

    /// Tells the agent why, lets what is under way finish for at most `limit`, then ends it. Dropping the handle
    /// changes nothing.
    pub(crate) fn retire(self: &Arc<Self>, goodbye: Goodbye, limit: Duration) -> JoinHandle<()> {
        let _ = self.why.set(goodbye.message.clone());
        let sender = self.lock().take();
        let connection = Arc::clone(self);
        tokio::spawn(async move {
            if let Some(sender) = sender {
                say_goodbye(sender, &goodbye).await;
            }
            // The driver cancels `cut` when it has ended by itself.
            let _ = timeout(limit, connection.cut.cancelled()).await;
            connection.cut.cancel();
        })
    }

    /// Sends a request; returns with the head of the answer.
    pub(crate) async fn send(
        &self,
        mut request: Request<Body>,
        deadline: Duration,
    ) -> Result<Response<Incoming>, LinkError> {
        *request.uri_mut() = absolute(request.uri())?;
        let sender = self.lock().clone();
        let Some(mut sender) = sender else { return Err(LinkError::NotConnected { node: self.facts.node }) };
        match timeout(deadline, sender.try_send_request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut error)) => {
                let delivered = error.take_message().is_none();
                let why = self.why().unwrap_or_else(|| error.error().to_string());
                Err(LinkError::Closed { why, delivered })
            }
            Err(_) => Err(LinkError::Deadline { after: deadline }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<SendRequest<Body>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells an agent why its connection ends. Whether it hears it changes nothing.
pub(crate) async fn say_goodbye(mut sender: SendRequest<Body>, goodbye: &Goodbye) {
    let Ok(request) = json_request(wire::GOODBYE, goodbye) else { return };
    let said = async {
        if let Ok(response) = sender.send_request(request).await {
            let _ = body::collect(body::guard(response.into_body(), SHORT), 1024).await;
        }
    };
    tokio::select! {
        () = said => {}
        () = sleep(Duration::from_secs(1)) => {}
    }
}

/// For the link's own small messages.
pub(crate) const SHORT: body::Stall =
    body::Stall { sender: Some(Duration::from_secs(1)), reader: Duration::from_secs(1) };

/// A POST of JSON with an absolute URI.
pub(crate) fn json_request<T: Serialize + ?Sized>(path: &str, value: &T) -> Result<Request<Body>, LinkError> {
    let content = serde_json::to_vec(value).map_err(|error| LinkError::unreadable("the request", &error))?;
    let mut request = Request::new(body::full(Bytes::from(content)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = absolute(&parse_path(path)?)?;
    request.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(request)
}

pub(crate) fn parse_path(path: &str) -> Result<Uri, LinkError> {
    path.parse().map_err(|error| LinkError::unreadable("the request's path", &error))
}

/// HTTP/2 wants a scheme and an authority; neither means anything here.
fn absolute(path: &Uri) -> Result<Uri, LinkError> {
    let mut parts = uri::Parts::default();
    parts.scheme = Some(uri::Scheme::HTTPS);
    parts.authority = Some(uri::Authority::from_static("node.nodepanel.internal"));
    parts.path_and_query = path.path_and_query().cloned();
    Uri::from_parts(parts).map_err(|error| LinkError::unreadable("the request's path", &error))
}
