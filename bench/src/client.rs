//! The API over one connection that is kept, with JSON and with events.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use nodepanel_types::api::ApiEvent;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};

use crate::clock::nanos;

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    token: String,
}

impl Client {
    /// Connects.
    pub async fn connect(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("the API accepts no connection")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its errors come back from the requests.
        tokio::spawn(connection);
        Ok(Self { sender, token: token.to_owned() })
    }

    /// Reads.
    pub async fn get<A: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<A> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Writes, under an idempotency key of its own, as the panel does.
    pub async fn post<A: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> anyhow::Result<A> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?.into()).await
    }

    /// Deletes.
    pub async fn delete<A: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<A> {
        self.ask(Method::DELETE, path, Bytes::new()).await
    }

    async fn ask<A: DeserializeOwned>(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<A> {
        let what = format!("{method} {path}");
        let answer = timeout(PATIENCE, async {
            let response = self.send(method, path, body).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            if !status.is_success() {
                bail!("the answer is {status}: {}", String::from_utf8_lossy(&body));
            }
            let json: &[u8] = if body.is_empty() { b"null" } else { &body };
            Ok(serde_json::from_slice(json)?)
        });
        match answer.await {
            Ok(answer) => answer.context(what),
            Err(_) => bail!("{what}: there is no answer after {PATIENCE:?}"),
        }
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<http::Response<Incoming>> {
        let mut request = Request::builder()
            .uri(path)
            .header(header::HOST, "bench")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if method != Method::GET {
            request = request.header("idempotency-key", idempotency_key());
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.method(method).body(Full::new(body))?).await?)
    }

    /// Turns the connection into the stream of events.
    pub async fn events(mut self) -> anyhow::Result<Events> {
        let response = self.send(Method::GET, "/api/v1/events", Bytes::new()).await?;
        anyhow::ensure!(response.status().is_success(), "the event stream is refused: {}", response.status());
        Ok(Events { body: response.into_body(), unread: Vec::new(), _connection: self.sender })
    }
}

/// A key that no other request of this process has, nor one of another process.
pub fn idempotency_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("bench-{}-{}-{}", std::process::id(), nanos(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Server-sent events, as they come.
pub struct Events {
    body: Incoming,
    unread: Vec<u8>,
    _connection: http1::SendRequest<Full<Bytes>>,
}

impl Events {
    /// The next event and when it came.
    pub async fn next(&mut self) -> anyhow::Result<(i64, ApiEvent)> {
        loop {
            while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                if let Some(json) = line.strip_prefix(b"data: ") {
                    return Ok((nanos(), serde_json::from_slice(json)?));
                }
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.context("the event stream is silent")?;
            if let Ok(data) = frame.context("the event stream has ended")??.into_data() {
                self.unread.extend_from_slice(&data);
            }
        }
    }
}
