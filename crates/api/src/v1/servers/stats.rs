//! `GET /api/v1/servers/{id}/stats`: a server's figures over time.

use axum::{Json, extract::State};
use nodepanel_types::{
    ServerId,
    stats::{StatsSeries, StatsWindow},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
};

/// Which series.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// `hour` (one sample a second) or `week` (one a minute); `hour` when left out.
    #[serde(default = "hour")]
    pub window: StatsWindow,
}

const fn hour() -> StatsWindow {
    StatsWindow::Hour
}

/// The series, from the server's node.
#[utoipa::path(get, path = "/servers/{id}/stats", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), StatsQuery),
    responses((status = 200, body = StatsSeries, description = "The samples, oldest first."), ProblemResponses)
)]
pub async fn get_stats(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<ServerId>,
    Query(query): Query<StatsQuery>,
) -> Result<Json<StatsSeries>, ApiError> {
    Ok(Json(state.plane.stats(&context, id, query.window).await?))
}
