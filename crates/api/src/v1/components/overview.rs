//! `GET /api/v1/overview`: what an administrator should see first.

use axum::{Json, extract::State};
use nodepanel_types::api::Overview;

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses},
};

/// Counts, and what needs a person.
#[utoipa::path(get, path = "/overview", tag = "platform",
    responses((status = 200, body = Overview, description = "Counts, and what needs a person."), ProblemResponses)
)]
pub async fn get_overview(State(state): State<ApiState>, Caller(context): Caller) -> Result<Json<Overview>, ApiError> {
    Ok(Json(state.plane.overview(&context)?))
}
