//! `DELETE /api/v1/nodes/{id}`: removes a node.

use axum::{extract::State, http::StatusCode};
use nodepanel_types::NodeId;

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The node is gone and its certificate no longer accepted. Refused while servers are on it.
#[utoipa::path(delete, path = "/nodes/{id}", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 204, description = "The node is gone and its certificate no longer accepted. Refused while servers are on it."), ProblemResponses)
)]
pub async fn delete_node(
    State(state): State<ApiState>,
    Id(id): Id<NodeId>,
    Asked { context, .. }: Asked<()>,
) -> Result<StatusCode, ApiError> {
    state.plane.delete_node(&context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
