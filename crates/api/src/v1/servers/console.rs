//! `GET /api/v1/servers/{id}/console`: the live console, a websocket.
//!
//! To the reader: text messages of one or more NDJSON console frames, unchanged from the shim, and control frames
//! (`state`, `sent`, `failed`, `beat`). From the reader: `{"command":{"line":…,"key":…}}`. When the node falls silent the
//! socket stays open and says so; when it is back the stream goes on after the last line. A reader that is slow slows
//! only itself: the lines wait in the shim, and what it drops is announced as a gap.

use std::time::Duration;

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};
use futures_util::StreamExt as _;
use nodepanel_control::{ConsoleEvent, ConsoleSource, ConsoleStream, Context};
use nodepanel_types::{ServerId, api::Command, permission::Permission};
use serde::Deserialize;
use serde_json::json;

use super::console_query::ConsoleQuery;
use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
    state::drained,
};

/// A reader that takes nothing for this long is gone.
const STALLED: Duration = Duration::from_secs(20);
/// How often a reader is told that the socket is alive, and its right to read is checked again whatever happened.
const BEAT: Duration = Duration::from_secs(1);
/// The largest message that a reader may send, in bytes.
const LARGEST_MESSAGE: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromReader {
    command: TypedCommand,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedCommand {
    line: String,
    key: String,
}

/// The live console.
#[utoipa::path(get, path = "/servers/{id}/console", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ConsoleQuery),
    responses((status = 101, description = "A websocket of console frames."), ProblemResponses)
)]
pub async fn open_console(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
    Query(query): Query<ConsoleQuery>,
    socket: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    open(state, context, id, ConsoleSource::Game, query, socket)
}

/// The live log of the installation.
#[utoipa::path(get, path = "/servers/{id}/install/console", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ConsoleQuery),
    responses((status = 101, description = "A websocket of console frames."), ProblemResponses)
)]
pub async fn open_install_console(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
    Query(query): Query<ConsoleQuery>,
    socket: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    open(state, context, id, ConsoleSource::Installation, query, socket)
}

fn open(
    state: ApiState,
    context: Context,
    id: ServerId,
    source: ConsoleSource,
    query: ConsoleQuery,
    socket: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let stream = state.plane.console(&context, id, source, query.from()?)?;
    let place = state.sockets.take(&context.actor)?;
    Ok(socket.max_message_size(LARGEST_MESSAGE).max_frame_size(LARGEST_MESSAGE).on_upgrade(move |socket| async move {
        let _place = place;
        Viewer { state, context, id, source, socket }.serve(stream).await;
    }))
}

struct Viewer {
    state: ApiState,
    context: Context,
    id: ServerId,
    source: ConsoleSource,
    socket: WebSocket,
}

/// The reader is gone, or may no longer read.
struct Gone;

impl Viewer {
    async fn serve(mut self, mut stream: ConsoleStream) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut draining = self.state.draining.clone();
        let mut rights = self.state.plane.rights_changes();
        loop {
            let step = tokio::select! {
                event = stream.next() => match event {
                    Some(event) => self.tell(event).await,
                    None => Err(Gone),
                },
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) | None => Err(Gone),
                },
                _ = beat.tick() => self.beat().await,
                () = rights.next() => self.check().await,
                // The reader comes back to another API server at once, and goes on after its last line.
                () = drained(&mut draining) => {
                    self.close(close_code::RESTART, "restarting").await;
                    Err(Gone)
                }
            };
            if step.is_err() {
                return;
            }
        }
    }

    async fn tell(&mut self, event: ConsoleEvent) -> Result<(), Gone> {
        let text = match event {
            ConsoleEvent::Frames(text) => text,
            ConsoleEvent::Link { connected, reason } => {
                json!({"state": {"connected": connected, "reason": reason}}).to_string()
            }
        };
        self.send(text).await
    }

    async fn hear(&mut self, message: Message) -> Result<(), Gone> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(Gone),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        let Ok(FromReader { command }) = serde_json::from_str::<FromReader>(&text) else {
            let what = "A message must be {\"command\":{\"line\":…,\"key\":…}}.";
            return self
                .send(json!({"failed": {"key": null, "problem": ApiError::field("command", what).0}}).to_string())
                .await;
        };
        let answer = if self.source == ConsoleSource::Game {
            let typed = Command { line: command.line };
            self.state.plane.command_keyed(&self.context, self.id, typed, &command.key).await.map_err(ApiError::from)
        } else {
            Err(ApiError::field("command", "An installation takes no commands."))
        };
        let reply = match answer {
            Ok(sent) => json!({"sent": {"key": command.key, "line": sent.line}}),
            Err(error) => json!({"failed": {"key": command.key, "problem": error.0}}),
        };
        self.send(reply.to_string()).await
    }

    async fn beat(&mut self) -> Result<(), Gone> {
        self.check().await?;
        self.send(json!({"beat": self.state.plane.clock.now().as_millis()}).to_string()).await
    }

    /// Closes the socket when its reader may no longer read.
    async fn check(&mut self) -> Result<(), Gone> {
        match self.state.plane.still_may(&self.context, self.id, Permission::ConsoleRead) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.close(close_code::POLICY, error.code().as_str()).await;
                Err(Gone)
            }
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Gone> {
        match tokio::time::timeout(STALLED, self.socket.send(Message::Text(Utf8Bytes::from(text)))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        // Whoever does not take the goodbye is gone already.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.send(Message::Close(Some(frame)))).await;
    }
}
