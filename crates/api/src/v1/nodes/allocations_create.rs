//! `POST /api/v1/nodes/{id}/allocations`: adds ports to a node.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::{
    NodeId,
    api::{AllocationView, CreateAllocations, Page},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The ports that were added; those that were there already are left out.
#[utoipa::path(post, path = "/nodes/{id}/allocations", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = CreateAllocations,
    responses((status = 201, body = Page<AllocationView>, description = "The ports that were added; those that were there already are left out."), ProblemResponses)
)]
pub async fn create_allocations(
    State(state): State<ApiState>,
    Id(id): Id<NodeId>,
    Asked { context, body }: Asked<CreateAllocations>,
) -> Result<(StatusCode, Json<Page<AllocationView>>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.add_allocations(&context, id, body).await?)))
}
