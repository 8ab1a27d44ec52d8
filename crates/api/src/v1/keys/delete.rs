//! `DELETE /api/v1/keys/{id}`: revokes an API key.

use axum::{extract::State, http::StatusCode};
use nodepanel_types::ApiKeyId;

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The key is no longer accepted anywhere.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 204, description = "The key is no longer accepted anywhere."), ProblemResponses)
)]
pub async fn delete_key(
    State(state): State<ApiState>,
    Id(id): Id<ApiKeyId>,
    Asked { context, .. }: Asked<()>,
) -> Result<StatusCode, ApiError> {
    state.plane.delete_key(&context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
