//! `GET /api/v1/servers/{id}/install/log`: what the last installation printed.

use axum::{Json, extract::State};
use nodepanel_control::ConsoleSource;
use nodepanel_types::ServerId;

use super::{console_lines::ConsoleLines, console_query::ConsoleQuery};
use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
};

/// Lines of the installation's log.
#[utoipa::path(get, path = "/servers/{id}/install/log", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ConsoleQuery),
    responses((status = 200, body = ConsoleLines, description = "The lines, oldest first."), ProblemResponses)
)]
pub async fn install_log(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
    Query(query): Query<ConsoleQuery>,
) -> Result<Json<ConsoleLines>, ApiError> {
    let limit = query.limit.unwrap_or(ConsoleQuery::MOST).clamp(1, ConsoleQuery::MOST);
    let frames = state.plane.console_lines(&context, id, ConsoleSource::Installation, query.from()?, limit).await?;
    Ok(Json(ConsoleLines { frames }))
}
