//! `GET /api/v1/components/history`: what NodePanel did to its own processes by itself.

use axum::{Json, extract::State};
use nodepanel_types::{api::Page, component::AutomaticAction};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses, Query},
};

/// Which part of it.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// `next` of the part before.
    pub after: Option<String>,
    /// At most this many, 1 to 1000; 200 when left out.
    pub limit: Option<usize>,
}

/// What was done to NodePanel's own processes automatically, newest first.
///
/// The last 1,000 entries; 503 (`history-unavailable`) when they cannot be read, never an empty list.
#[utoipa::path(get, path = "/components/history", tag = "platform",
    params(HistoryQuery),
    responses((status = 200, body = Page<AutomaticAction>, description = "A part of it, newest first."), ProblemResponses)
)]
pub async fn list_history(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<AutomaticAction>>, ApiError> {
    let limit = query.limit.unwrap_or(200).clamp(1, 1_000);
    Ok(Json(state.plane.history(&context, query.after.as_deref(), limit).await?))
}
