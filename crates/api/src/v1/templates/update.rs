//! `PUT /api/v1/templates/{id}`: a new version of a template.

use axum::{Json, extract::State};
use nodepanel_types::{
    TemplateId,
    api::{TemplateSource, TemplateView},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The new version. Servers keep the version that they have until they are changed.
#[utoipa::path(put, path = "/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "The template's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = TemplateSource,
    responses((status = 200, body = TemplateView, description = "The new version. Servers keep the version that they have until they are changed."), ProblemResponses)
)]
pub async fn update_template(
    State(state): State<ApiState>,
    Id(id): Id<TemplateId>,
    Asked { context, body }: Asked<TemplateSource>,
) -> Result<Json<TemplateView>, ApiError> {
    Ok(Json(state.plane.update_template(&context, id, body).await?))
}
