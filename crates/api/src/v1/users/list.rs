//! `GET /api/v1/users`: everybody who can sign in.

use axum::{Json, extract::State};
use nodepanel_types::api::{Page, UserView};

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses, Query},
    v1::PageQuery,
};

/// The users, by e-mail address.
#[utoipa::path(get, path = "/users", tag = "users",
    params(PageQuery),
    responses((status = 200, body = Page<UserView>, description = "The users, by e-mail address."), ProblemResponses)
)]
pub async fn list_users(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<UserView>>, ApiError> {
    Ok(Json(state.plane.list_users(&context, &query.into())?))
}
