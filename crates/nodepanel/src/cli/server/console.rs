//! `nodepanel server console`: follows a console, and types what comes on standard input. Goes on after the last line
//! when the connection breaks.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use nodepanel_types::{ServerId, clock::IdSource as _, wire::ConsoleFrame};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::header},
};

use super::{
    super::{client::Client, endpoint::Stream, output},
    logs::print,
};
use crate::system::SystemIds;

/// Nothing heard for this long (the server speaks every second) means that the connection is dead.
const SILENCE: Duration = Duration::from_secs(6);
/// The pause before the connection is made again.
const PAUSE: Duration = Duration::from_millis(300);

/// Follows until standard input ends or Ctrl-C.
pub async fn run(client: &Client, id: ServerId, tail: u32, json: bool) -> anyhow::Result<()> {
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    let mut typing = true;
    let mut after = None;
    let mut unsent: Option<(String, String)> = None;
    loop {
        let from = after.map_or_else(|| format!("tail={tail}"), |after: u64| format!("after={after}"));
        let mut socket = match connect(client, id, &from).await {
            Ok(socket) => socket,
            Err(error) if after.is_none() => return Err(error),
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Some((key, line)) = &unsent {
            // The same key: typed once, whether or not the first try arrived.
            let _ = socket.send(typed(key, line)).await;
        }
        loop {
            tokio::select! {
                message = tokio::time::timeout(SILENCE, socket.next()) => match message {
                    Ok(Some(Ok(Message::Text(text)))) => {
                        for line in text.lines() {
                            match serde_json::from_str::<ConsoleFrame>(line) {
                                Ok(frame) => {
                                    match &frame {
                                        ConsoleFrame::Line(line) => after = Some(line.n),
                                        ConsoleFrame::Gap { gap } => after = Some(gap.to),
                                        ConsoleFrame::At { at } => after = after.or(Some(at.next.saturating_sub(1))),
                                    }
                                    print(&frame, json)?;
                                }
                                Err(_) => note(line, &mut unsent),
                            }
                        }
                    }
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(_)) | None) | Err(_) => break,
                },
                line = input.next_line(), if typing => match line? {
                    Some(line) => {
                        let key = SystemIds.uuid().to_string();
                        let sent = socket.send(typed(&key, &line)).await;
                        unsent = Some((key, line));
                        if sent.is_err() {
                            break;
                        }
                    }
                    None => typing = false,
                },
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
        output::note(format_args!("[NodePanel] the connection was lost; connecting again…"));
        tokio::time::sleep(PAUSE).await;
    }
}

/// Control frames: what became of a command, and the state of the link.
fn note(line: &str, unsent: &mut Option<(String, String)>) {
    let Ok(frame) = serde_json::from_str::<serde_json::Value>(line) else { return };
    if frame.get("sent").is_some() {
        *unsent = None;
    }
    if let Some(detail) = frame.pointer("/failed/problem/detail").and_then(serde_json::Value::as_str) {
        *unsent = None;
        output::note(format_args!("[NodePanel] {}", output::plain(detail)));
    }
    if let Some(reason) = frame.pointer("/state/reason").and_then(serde_json::Value::as_str) {
        output::note(format_args!("[NodePanel] {}", output::plain(reason)));
    }
}

fn typed(key: &str, line: &str) -> Message {
    Message::text(serde_json::json!({"command": {"line": line, "key": key}}).to_string())
}

async fn connect(client: &Client, id: ServerId, from: &str) -> anyhow::Result<WebSocketStream<Box<dyn Stream>>> {
    let mut request =
        format!("ws://{}/api/v1/servers/{id}/console?{from}", client.authority()).into_client_request()?;
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {}", client.bearer()).parse()?);
    let connecting = async {
        let stream = client.connect().await?;
        anyhow::Ok(client_async(request, stream).await?.0)
    };
    tokio::time::timeout(Duration::from_secs(5), connecting)
        .await
        .context("the console cannot be opened: there was no answer in time")?
        .context("the console cannot be opened")
}
