//! An open console: reads the websocket, comes back when it breaks, and keeps account of every number.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nodepanel_types::{ServerId, wire::ConsoleFrame};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};

use super::{Floor, Viewed, pause};
use crate::{
    check::{Fault, Numbers},
    http::Access,
};

/// A socket that says nothing for so long is given up: the server sends a beat every second.
const SILENCE: Duration = Duration::from_secs(4);
/// How long a console goes on reading after the load has ended.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// The server's way to say "come again".
const COME_AGAIN: u16 = 1012;

/// Somebody who looks at a console.
pub struct Viewer {
    access: Access,
    floor: Arc<Floor>,
    viewed: Viewed,
}

impl Viewer {
    /// Looks at the console of `server`.
    pub fn new(access: Access, server: ServerId, reader: String, floor: Arc<Floor>) -> Self {
        let viewed = Viewed { server, reader, numbers: Numbers::default(), faults: Vec::new() };
        Self { access, floor, viewed }
    }

    /// Reads until the load has ended and everything of it has been seen.
    pub async fn watch(mut self) -> Viewed {
        let mut until = None;
        loop {
            if self.floor.ended() {
                let until = *until.get_or_insert_with(|| Instant::now() + AFTERWARDS);
                if Instant::now() >= until {
                    return self.viewed;
                }
            }
            match self.connect().await {
                Ok(Some(socket)) => {
                    if self.read(socket, &mut until).await.is_err() {
                        return self.viewed;
                    }
                }
                Ok(None) => {}
                Err(status) => {
                    let what = format!("{}: the console is refused with {status}.", self.viewed.reader);
                    self.viewed.faults.push(Fault::Seen(what));
                    return self.viewed;
                }
            }
            pause().await;
        }
    }

    /// An open socket; `None` when it is worth trying again, the status when it is refused.
    async fn connect(&self) -> Result<Option<WebSocketStream<TcpStream>>, u16> {
        let after = self.viewed.numbers.last().unwrap_or_default();
        let url = format!("ws://{}/api/v1/servers/{}/console?after={after}", self.access.address, self.viewed.server);
        let Ok(mut request) = url.into_client_request() else { return Ok(None) };
        if let Ok(bearer) = self.access.bearer.header().parse() {
            request.headers_mut().insert(http::header::AUTHORIZATION, bearer);
        }
        let open = async {
            let stream = TcpStream::connect(self.access.address).await.map_err(tungstenite::Error::Io)?;
            client_async(request, stream).await
        };
        match timeout(SILENCE, open).await {
            Ok(Ok((socket, _))) => Ok(Some(socket)),
            Ok(Err(tungstenite::Error::Http(answer))) if answer.status().is_client_error() => {
                Err(answer.status().as_u16())
            }
            _ => Ok(None),
        }
    }

    /// Reads until the socket ends; an error when the server ended it for good.
    async fn read(&mut self, mut socket: WebSocketStream<TcpStream>, until: &mut Option<Instant>) -> Result<(), ()> {
        loop {
            let patience = if self.floor.ended() {
                let until = *until.get_or_insert_with(|| Instant::now() + AFTERWARDS);
                until.saturating_duration_since(Instant::now())
            } else {
                SILENCE
            };
            match timeout(patience, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => self.note(&text),
                Ok(Some(Ok(Message::Close(Some(frame))))) if u16::from(frame.code) != COME_AGAIN => {
                    let what = format!("{}: closed with {}: {}", self.viewed.reader, frame.code, frame.reason);
                    self.viewed.faults.push(Fault::Seen(what));
                    return Err(());
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return Ok(()),
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    fn note(&mut self, text: &str) {
        for frame in text.lines() {
            match serde_json::from_str(frame) {
                Ok(ConsoleFrame::Line(line)) => self.viewed.numbers.line(&self.viewed.reader, line.n),
                Ok(ConsoleFrame::Gap { gap }) => self.viewed.numbers.gap(&self.viewed.reader, gap.from, gap.to),
                // What else is said (beats, states) is not of the console.
                Ok(ConsoleFrame::At { .. }) | Err(_) => {}
            }
        }
    }
}
