//! `DELETE /api/v1/templates/{id}`: removes a template.

use axum::{extract::State, http::StatusCode};
use nodepanel_types::TemplateId;

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The template is gone. Refused while servers use it.
#[utoipa::path(delete, path = "/templates/{id}", tag = "templates",
    params(("id" = String, Path, description = "The template's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 204, description = "The template is gone. Refused while servers use it."), ProblemResponses)
)]
pub async fn delete_template(
    State(state): State<ApiState>,
    Id(id): Id<TemplateId>,
    Asked { context, .. }: Asked<()>,
) -> Result<StatusCode, ApiError> {
    state.plane.delete_template(&context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
