//! `POST /api/v1/servers/{id}/power`: starts, stops, restarts or kills a game server.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::{
    ServerId,
    api::{Power, ServerView},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The wish is stored and on its way to the node. It survives crashes and reboots of everything.
#[utoipa::path(post, path = "/servers/{id}/power", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = Power,
    responses((status = 202, body = ServerView, description = "The wish is stored and on its way to the node. It survives crashes and reboots of everything."), ProblemResponses)
)]
pub async fn power_server(
    State(state): State<ApiState>,
    Id(id): Id<ServerId>,
    Asked { context, body }: Asked<Power>,
) -> Result<(StatusCode, Json<ServerView>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(state.plane.power(&context, id, body.action).await?)))
}
