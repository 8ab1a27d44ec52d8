//! `POST /api/v1/keys`: a new API key.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::api::{ApiKeyCreated, CreateApiKey};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses},
};

/// The new key with its token, which is shown this once.
#[utoipa::path(post, path = "/keys", tag = "keys",
    params(("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = CreateApiKey,
    responses((status = 201, body = ApiKeyCreated, description = "The new key with its token, which is shown this once."), ProblemResponses)
)]
pub async fn create_key(
    State(state): State<ApiState>,
    Asked { context, body }: Asked<CreateApiKey>,
) -> Result<(StatusCode, Json<ApiKeyCreated>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.create_key(&context, body).await?)))
}
