//! `POST /api/v1/templates`: a new template.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::api::{TemplateSource, TemplateView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses},
};

/// The new template, version 1.
#[utoipa::path(post, path = "/templates", tag = "templates",
    params(("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = TemplateSource,
    responses((status = 201, body = TemplateView, description = "The new template, version 1."), ProblemResponses)
)]
pub async fn create_template(
    State(state): State<ApiState>,
    Asked { context, body }: Asked<TemplateSource>,
) -> Result<(StatusCode, Json<TemplateView>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.create_template(&context, body).await?)))
}
