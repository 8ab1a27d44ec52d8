//! `POST /api/v1/servers/{id}/install`: installs a game server again.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::{ServerId, api::ServerView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The installation is on its way. A running server is stopped first; files that the installation does not write stay.
#[utoipa::path(post, path = "/servers/{id}/install", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 202, body = ServerView, description = "The installation is on its way. A running server is stopped first; files that the installation does not write stay."), ProblemResponses)
)]
pub async fn install_server(
    State(state): State<ApiState>,
    Id(id): Id<ServerId>,
    Asked { context, .. }: Asked<()>,
) -> Result<(StatusCode, Json<ServerView>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(state.plane.install(&context, id).await?)))
}
