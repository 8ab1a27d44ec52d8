//! `PATCH /api/v1/nodes/{id}`: changes a node.

use axum::{Json, extract::State};
use nodepanel_types::{
    NodeId,
    api::{NodeView, UpdateNode},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The changed node.
#[utoipa::path(patch, path = "/nodes/{id}", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = UpdateNode,
    responses((status = 200, body = NodeView, description = "The changed node."), ProblemResponses)
)]
pub async fn update_node(
    State(state): State<ApiState>,
    Id(id): Id<NodeId>,
    Asked { context, body }: Asked<UpdateNode>,
) -> Result<Json<NodeView>, ApiError> {
    Ok(Json(state.plane.update_node(&context, id, body).await?))
}
