//! `GET /api/v1/session`: who is signed in.

use axum::{Json, extract::State};
use nodepanel_types::api::SessionView;

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses},
};

/// Who is signed in, and what they may do.
#[utoipa::path(get, path = "/session", tag = "session",
    responses((status = 200, body = SessionView, description = "The caller."), ProblemResponses)
)]
pub async fn who(State(state): State<ApiState>, Caller(context): Caller) -> Result<Json<SessionView>, ApiError> {
    Ok(Json(state.plane.session_view(&context)?))
}
