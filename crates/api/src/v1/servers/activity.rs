//! `GET /api/v1/servers/{id}/activity`: what happened to a server.

use axum::{Json, extract::State};
use nodepanel_types::{ServerId, wire::ActivityEntry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
};

/// How much of it.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ActivityQuery {
    /// At most this many, 1 to 1000; 100 when left out.
    pub limit: Option<u32>,
}

/// What happened, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServerActivity {
    /// The entries.
    pub items: Vec<ActivityEntry>,
}

/// What happened to the server: asked for by people, or done by its node.
#[utoipa::path(get, path = "/servers/{id}/activity", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ActivityQuery),
    responses((status = 200, body = ServerActivity, description = "The entries, newest first."), ProblemResponses)
)]
pub async fn get_activity(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<ServerActivity>, ApiError> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    Ok(Json(ServerActivity { items: state.plane.activity(&context, id, limit).await? }))
}
