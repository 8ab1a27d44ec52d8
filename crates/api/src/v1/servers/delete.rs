//! `DELETE /api/v1/servers/{id}`: deletes a game server.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::{ServerId, api::ServerView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The deletion is on its way: the node stops the server and removes its files. It is final.
#[utoipa::path(delete, path = "/servers/{id}", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 202, body = ServerView, description = "The deletion is on its way: the node stops the server and removes its files. It is final."), ProblemResponses)
)]
pub async fn delete_server(
    State(state): State<ApiState>,
    Id(id): Id<ServerId>,
    Asked { context, .. }: Asked<()>,
) -> Result<(StatusCode, Json<ServerView>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(state.plane.delete_server(&context, id).await?)))
}
