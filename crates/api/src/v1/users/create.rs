//! `POST /api/v1/users`: a new user.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::api::{CreateUser, UserView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses},
};

/// The new user.
#[utoipa::path(post, path = "/users", tag = "users",
    params(("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = CreateUser,
    responses((status = 201, body = UserView, description = "The new user."), ProblemResponses)
)]
pub async fn create_user(
    State(state): State<ApiState>,
    Asked { context, body }: Asked<CreateUser>,
) -> Result<(StatusCode, Json<UserView>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.create_user(&context, body).await?)))
}
