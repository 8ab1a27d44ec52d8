//! `GET /api/v1/components`: NodePanel's own processes.

use axum::{Json, extract::State};
use nodepanel_types::api::ComponentsView;

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses},
};

/// The processes of this host.
#[utoipa::path(get, path = "/components", tag = "platform",
    responses((status = 200, body = ComponentsView, description = "The processes of this host."), ProblemResponses)
)]
pub async fn list_components(
    State(state): State<ApiState>,
    Caller(context): Caller,
) -> Result<Json<ComponentsView>, ApiError> {
    Ok(Json(state.plane.components(&context)?))
}
