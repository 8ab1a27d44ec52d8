//! `POST /api/v1/users/{id}/keys`: a new API key for a user.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::{
    UserId,
    api::{ApiKeyCreated, CreateApiKey},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The new key with its token, which is shown this once.
#[utoipa::path(post, path = "/users/{id}/keys", tag = "keys",
    params(
        ("id" = String, Path, description = "The user's id, a UUID."),
        ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request."),
    ),
    request_body = CreateApiKey,
    responses((status = 201, body = ApiKeyCreated, description = "The new key, with its token."), ProblemResponses)
)]
pub async fn create_user_key(
    State(state): State<ApiState>,
    Id(id): Id<UserId>,
    Asked { context, body }: Asked<CreateApiKey>,
) -> Result<(StatusCode, Json<ApiKeyCreated>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.create_key_for(&context, id, body).await?)))
}
