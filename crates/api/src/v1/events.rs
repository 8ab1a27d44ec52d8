//! `GET /api/v1/events`: changes as they happen, as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::StreamExt as _;
use nodepanel_types::api::ApiEvent;

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses},
    state::drained,
};

/// A comment is sent at least this often, so that both ends notice a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Changes of everything that the caller may see.
#[utoipa::path(get, path = "/events", tag = "platform",
    responses(
        (status = 200, body = ApiEvent, content_type = "text/event-stream",
         description = "Events without end. The first is `hello`: fetch what you show again when it comes."),
        ProblemResponses
    )
)]
pub async fn watch_events(State(state): State<ApiState>, Caller(context): Caller) -> Result<Response, ApiError> {
    let place = state.sockets.take(&context.actor)?;
    let mut draining = state.draining.clone();
    let events = state
        .plane
        .events(&context)?
        .map(move |event| {
            let _held_while_streaming = &place;
            let name = name_of(&event);
            Ok::<_, Infallible>(Event::default().event(name).json_data(&event).unwrap_or_default())
        })
        .take_until(async move {
            drained(&mut draining).await;
        });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

const fn name_of(event: &ApiEvent) -> &'static str {
    match event {
        ApiEvent::Hello { .. } => "hello",
        ApiEvent::Server { .. } => "server",
        ApiEvent::ServerRemoved { .. } => "server_removed",
        ApiEvent::Stats { .. } => "stats",
        ApiEvent::Node { .. } => "node",
        ApiEvent::NodeRemoved { .. } => "node_removed",
        ApiEvent::TemplateChanged { .. } => "template_changed",
        ApiEvent::ComponentsChanged => "components_changed",
    }
}
