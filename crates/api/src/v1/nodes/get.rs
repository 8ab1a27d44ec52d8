//! `GET /api/v1/nodes/{id}`: one node.

use axum::{Json, extract::State};
use nodepanel_types::{NodeId, api::NodeView};

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses},
};

/// The node.
#[utoipa::path(get, path = "/nodes/{id}", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID.")),
    responses((status = 200, body = NodeView, description = "The node."), ProblemResponses)
)]
pub async fn get_node(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<NodeId>,
) -> Result<Json<NodeView>, ApiError> {
    Ok(Json(state.plane.node(&context, id)?))
}
