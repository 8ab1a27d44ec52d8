//! `PATCH /api/v1/users/{id}`: changes a user.

use axum::{Json, extract::State};
use nodepanel_types::{
    UserId,
    api::{UpdateUser, UserView},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The changed user. A new password or role ends the sessions of the user.
#[utoipa::path(patch, path = "/users/{id}", tag = "users",
    params(("id" = String, Path, description = "The user's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = UpdateUser,
    responses((status = 200, body = UserView, description = "The changed user. A new password or role ends the sessions of the user."), ProblemResponses)
)]
pub async fn update_user(
    State(state): State<ApiState>,
    Id(id): Id<UserId>,
    Asked { context, body }: Asked<UpdateUser>,
) -> Result<Json<UserView>, ApiError> {
    Ok(Json(state.plane.update_user(&context, id, body).await?))
}
