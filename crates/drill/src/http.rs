//! One connection to the API, and one try of a request over it. What a failed try means for the user is `user`'s.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request as HttpRequest, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// Where the API is, and the right to use it.
#[derive(Debug, Clone)]
pub struct Access {
    /// The address.
    pub address: SocketAddr,
    /// The token.
    pub bearer: Bearer,
}

/// A bearer token, made anew for each request: that of the host is good for a moment only.
#[derive(Clone)]
pub struct Bearer(Arc<dyn Fn() -> String + Send + Sync>);

impl Bearer {
    /// A token that `make` makes.
    pub fn new(make: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// A token that stays.
    pub fn fixed(token: String) -> Self {
        Self::new(move || token.clone())
    }

    /// The value of `Authorization`.
    pub fn header(&self) -> String {
        format!("Bearer {}", (self.0)())
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// The idempotency key of a write.
    pub key: Option<String>,
    /// The session that goes in the place of the token.
    pub cookie: Option<String>,
}

impl Request {
    /// A read.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new(), key: None, cookie: None }
    }

    /// A read by somebody who has signed in.
    pub fn get_in_session(path: impl Into<String>, cookie: String) -> Self {
        Self { cookie: Some(cookie), ..Self::get(path) }
    }

    /// A write under a key.
    pub fn keyed(method: Method, path: impl Into<String>, body: &serde_json::Value, key: String) -> Self {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        Self { method, path: path.into(), body, key: Some(key), cookie: None }
    }
}

/// How one try ended.
#[derive(Debug, Clone)]
pub enum Try {
    /// With a whole answer.
    Answered(Answer),
    /// Nobody accepted the connection.
    Refused,
    /// The connection broke before the answer was whole.
    Broken(String),
    /// There was no answer in time.
    Late,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The session that it begins or goes on with, as it is sent back.
    pub cookie: Option<String>,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status and body, for people.
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// A connection that is kept as long as it works.
#[derive(Debug)]
pub struct Connection {
    access: Access,
    /// The address of this machine that it comes from; the system's choice when there is none.
    from: Option<IpAddr>,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// One that is opened when it is needed.
    pub const fn new(access: Access) -> Self {
        Self { access, from: None, open: None }
    }

    /// One that comes from this address of the machine.
    pub const fn from_address(access: Access, from: IpAddr) -> Self {
        Self { access, from: Some(from), open: None }
    }

    /// Lets the next try open a new connection.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Sends a request once.
    pub async fn attempt(&mut self, request: &Request, patience: Duration) -> Try {
        let Ok(outcome) = timeout(patience, self.exchange(request)).await else {
            self.open = None;
            return Try::Late;
        };
        outcome.unwrap_or_else(|failure| {
            self.open = None;
            failure
        })
    }

    async fn exchange(&mut self, request: &Request) -> Result<Try, Try> {
        if self.open.as_ref().is_none_or(SendRequest::is_closed) {
            self.open = Some(connect(self.access.address, self.from).await?);
        }
        let Some(sender) = &mut self.open else { return Err(Try::Refused) };
        let broken = |error: hyper::Error| Try::Broken(error.to_string());
        sender.ready().await.map_err(broken)?;
        let message = message(request, &self.access).map_err(|error| Try::Broken(error.to_string()))?;
        let response = sender.send_request(message).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| Try::Broken(error.to_string()))?;
        let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let cookie = head.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok()?.split(';').next());
        let (status, cookie) = (head.status.as_u16(), cookie.map(str::to_owned));
        Ok(Try::Answered(Answer { status, body: body.to_bytes(), retry_after, cookie }))
    }
}

async fn connect(address: SocketAddr, from: Option<IpAddr>) -> Result<SendRequest<Full<Bytes>>, Try> {
    let connecting = async {
        let Some(from) = from else { return TcpStream::connect(address).await };
        let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(from, 0))?;
        socket.connect(address).await
    };
    let stream = connecting.await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Try::Refused,
        _ => Try::Broken(error.to_string()),
    })?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Try::Broken(error.to_string()))?;
    // What goes wrong with it comes back from the requests.
    tokio::spawn(connection);
    Ok(sender)
}

fn message(request: &Request, access: &Access) -> Result<HttpRequest<Full<Bytes>>, http::Error> {
    let mut message = HttpRequest::builder()
        .method(request.method.clone())
        .uri(&request.path)
        .header(header::HOST, access.address.to_string());
    message = match &request.cookie {
        Some(cookie) => message.header(header::COOKIE, cookie),
        None => message.header(header::AUTHORIZATION, access.bearer.header()),
    };
    if let Some(key) = &request.key {
        message = message.header("idempotency-key", key);
    }
    if !request.body.is_empty() {
        message = message.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    message.body(Full::new(request.body.clone()))
}
