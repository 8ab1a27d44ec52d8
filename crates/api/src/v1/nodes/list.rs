//! `GET /api/v1/nodes`: the machines that run game servers.

use axum::{Json, extract::State};
use nodepanel_types::api::{NodeView, Page};

use crate::{
    ApiState,
    edge::{ApiError, Caller, ProblemResponses, Query},
    v1::PageQuery,
};

/// The nodes, by name.
#[utoipa::path(get, path = "/nodes", tag = "nodes",
    params(PageQuery),
    responses((status = 200, body = Page<NodeView>, description = "The nodes, by name."), ProblemResponses)
)]
pub async fn list_nodes(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<NodeView>>, ApiError> {
    Ok(Json(state.plane.list_nodes(&context, &query.into())?))
}
