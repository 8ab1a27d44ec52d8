//! `GET /api/v1/keys`: one's own API keys.

use axum::{Json, extract::State};
use nodepanel_types::api::{ApiKeyView, Page};

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses, Query},
    v1::PageQuery,
};

/// The caller's API keys, oldest first.
#[utoipa::path(get, path = "/keys", tag = "keys",
    params(PageQuery),
    responses((status = 200, body = Page<ApiKeyView>, description = "The caller's API keys, oldest first."), ProblemResponses)
)]
pub async fn list_keys(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ApiKeyView>>, ApiError> {
    Ok(Json(state.plane.list_keys(&context, &query.into())?))
}
