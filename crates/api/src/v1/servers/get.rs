//! `GET /api/v1/servers/{id}`: one game server.

use axum::{Json, extract::State};
use nodepanel_types::{ServerId, api::ServerView};

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses},
};

/// The server.
#[utoipa::path(get, path = "/servers/{id}", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID.")),
    responses((status = 200, body = ServerView, description = "The server."), ProblemResponses)
)]
pub async fn get_server(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
) -> Result<Json<ServerView>, ApiError> {
    Ok(Json(state.plane.server(&context, id)?))
}
