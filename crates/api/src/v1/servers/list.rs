//! `GET /api/v1/servers`: the game servers that the caller may see.

use axum::{Json, extract::State};
use nodepanel_types::api::{Page, ServerView};

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses, Query},
    v1::PageQuery,
};

/// The servers, by name.
#[utoipa::path(get, path = "/servers", tag = "servers",
    params(PageQuery),
    responses((status = 200, body = Page<ServerView>, description = "The servers, by name."), ProblemResponses)
)]
pub async fn list_servers(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ServerView>>, ApiError> {
    Ok(Json(state.plane.list_servers(&context, &query.into())?))
}
