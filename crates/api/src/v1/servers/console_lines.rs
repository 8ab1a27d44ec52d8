//! `GET /api/v1/servers/{id}/console/lines`: lines of the console, without staying.

use axum::{Json, extract::State};
use nodepanel_control::ConsoleSource;
use nodepanel_types::{ServerId, wire::ConsoleFrame};
use serde::Serialize;
use utoipa::ToSchema;

use super::console_query::ConsoleQuery;
use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
};

/// Lines and gaps, in the order of their numbers.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConsoleLines {
    /// The frames: lines `{n, t, k, s}`, gaps `{gap: {from, to, why}}` and the extent `{at: {first, next}}`.
    #[schema(value_type = Vec<Object>)]
    pub frames: Vec<ConsoleFrame>,
}

/// Lines of the console.
#[utoipa::path(get, path = "/servers/{id}/console/lines", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ConsoleQuery),
    responses((status = 200, body = ConsoleLines, description = "The lines, oldest first."), ProblemResponses)
)]
pub async fn console_lines(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
    Query(query): Query<ConsoleQuery>,
) -> Result<Json<ConsoleLines>, ApiError> {
    let limit = query.limit.unwrap_or(ConsoleQuery::MOST).clamp(1, ConsoleQuery::MOST);
    let frames = state.plane.console_lines(&context, id, ConsoleSource::Game, query.from()?, limit).await?;
    Ok(Json(ConsoleLines { frames }))
}
