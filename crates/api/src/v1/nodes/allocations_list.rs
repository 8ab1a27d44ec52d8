//! `GET /api/v1/nodes/{id}/allocations`: the ports of a node.

use axum::{Json, extract::State};
use nodepanel_types::{
    NodeId,
    api::{AllocationView, Page},
};

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
    v1::PageQuery,
};

/// The ports, by address and number.
#[utoipa::path(get, path = "/nodes/{id}/allocations", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), PageQuery),
    responses((status = 200, body = Page<AllocationView>, description = "The ports, by address and number."), ProblemResponses)
)]
pub async fn list_allocations(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<NodeId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<AllocationView>>, ApiError> {
    Ok(Json(state.plane.list_allocations(&context, id, &query.into())?))
}
