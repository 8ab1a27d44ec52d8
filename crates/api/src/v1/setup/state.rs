//! `GET /api/v1/setup`: whether the first administrator is still to be made.

use axum::{Json, extract::State};
use nodepanel_types::api::SetupState;

use crate::{
    ApiState,
    edge::{ApiError, ProblemResponses},
};

/// Whether the installation waits for its first administrator.
#[utoipa::path(get, path = "/setup", tag = "session", security(()),
    responses((status = 200, body = SetupState, description = "Whether set-up is needed."), ProblemResponses)
)]
pub async fn setup_state(State(state): State<ApiState>) -> Result<Json<SetupState>, ApiError> {
    Ok(Json(state.plane.setup_state()?))
}
