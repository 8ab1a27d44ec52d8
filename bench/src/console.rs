//! A console as the panel reads it: over a websocket.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use http::{HeaderValue, header};
use nodepanel_types::{ServerId, wire::ConsoleFrame};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::clock::nanos;

/// How long a console that has something to say may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// One viewer.
pub struct Console {
    socket: WebSocketStream<TcpStream>,
    /// Lines of messages of which only a part was asked for.
    unread: VecDeque<(i64, String)>,
}

impl Console {
    /// Begins to view, with the newest lines.
    pub async fn open(address: SocketAddr, token: &str, server: ServerId, tail: u32) -> anyhow::Result<Self> {
        let url = format!("ws://{address}/api/v1/servers/{server}/console?tail={tail}");
        let mut request = url.into_client_request()?;
        request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(request, stream).await.context("the console is refused")?;
        Ok(Self { socket, unread: VecDeque::new() })
    }

    /// The next message and when it came.
    pub async fn message(&mut self) -> anyhow::Result<(i64, String)> {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.context("the console is silent")?;
            match message.context("the console has ended")?? {
                Message::Text(text) => return Ok((nanos(), text.to_string())),
                Message::Close(reason) => bail!("the console was closed: {reason:?}"),
                _ => {}
            }
        }
    }

    /// The next line that begins with `prefix`: when it came, and the rest of it.
    pub async fn line(&mut self, prefix: &str) -> anyhow::Result<(i64, String)> {
        timeout(PATIENCE, self.line_patiently(prefix)).await.context("the console has no such line")?
    }

    async fn line_patiently(&mut self, prefix: &str) -> anyhow::Result<(i64, String)> {
        loop {
            while let Some((came, line)) = self.unread.pop_front() {
                if let Some(rest) = line.strip_prefix(prefix) {
                    return Ok((came, rest.to_owned()));
                }
            }
            let (came, text) = self.message().await?;
            for frame in text.lines() {
                if let Ok(ConsoleFrame::Line(line)) = serde_json::from_str(frame) {
                    self.unread.push_back((came, line.s));
                }
            }
        }
    }

    /// Reads until the line numbers are known from which on everything is new: the stream's second `at`.
    pub async fn caught_up(&mut self) -> anyhow::Result<()> {
        let mut extents = 0;
        while extents < 2 {
            let (_, text) = self.message().await?;
            extents += text.lines().filter(|line| line.starts_with("{\"at\"")).count();
        }
        Ok(())
    }
}
