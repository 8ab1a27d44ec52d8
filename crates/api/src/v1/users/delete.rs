//! `DELETE /api/v1/users/{id}`: removes a user.

use axum::{extract::State, http::StatusCode};
use nodepanel_types::UserId;

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The user is gone, with their sessions and API keys. Refused while servers belong to them.
#[utoipa::path(delete, path = "/users/{id}", tag = "users",
    params(("id" = String, Path, description = "The user's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 204, description = "The user is gone, with their sessions and API keys. Refused while servers belong to them."), ProblemResponses)
)]
pub async fn delete_user(
    State(state): State<ApiState>,
    Id(id): Id<UserId>,
    Asked { context, .. }: Asked<()>,
) -> Result<StatusCode, ApiError> {
    state.plane.delete_user(&context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
