//! `PATCH /api/v1/servers/{id}`: changes a game server.

use axum::{Json, extract::State};
use nodepanel_types::{
    ServerId,
    api::{ServerView, UpdateServer},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The changed server. What its process was started with changes at its next start.
#[utoipa::path(patch, path = "/servers/{id}", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = UpdateServer,
    responses((status = 200, body = ServerView, description = "The changed server. What its process was started with changes at its next start."), ProblemResponses)
)]
pub async fn update_server(
    State(state): State<ApiState>,
    Id(id): Id<ServerId>,
    Asked { context, body }: Asked<UpdateServer>,
) -> Result<Json<ServerView>, ApiError> {
    Ok(Json(state.plane.update_server(&context, id, body).await?))
}
