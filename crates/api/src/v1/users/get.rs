//! `GET /api/v1/users/{id}`: one user.

use axum::{Json, extract::State};
use nodepanel_types::{UserId, api::UserView};

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses},
};

/// The user.
#[utoipa::path(get, path = "/users/{id}", tag = "users",
    params(("id" = String, Path, description = "The user's id, a UUID.")),
    responses((status = 200, body = UserView, description = "The user."), ProblemResponses)
)]
pub async fn get_user(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<UserId>,
) -> Result<Json<UserView>, ApiError> {
    Ok(Json(state.plane.user(&context, id)?))
}
