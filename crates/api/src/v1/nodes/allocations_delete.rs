//! `DELETE /api/v1/nodes/{id}/allocations`: takes ports away from a node.

use axum::{extract::State, http::StatusCode};
use nodepanel_types::{NodeId, api::CreateAllocations};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses, Query},
};

/// Which ports.
#[derive(Debug, Clone, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AllocationQuery {
    /// The address.
    pub address: String,
    /// Ports and ranges, as when they were added.
    pub ports: String,
}

/// Removes ports from the node.
#[utoipa::path(delete, path = "/nodes/{id}/allocations", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), AllocationQuery),
    responses(
        (status = 204, description = "The ports are gone. Refused when a server has one of them; then none is removed."),
        ProblemResponses
    )
)]
pub async fn delete_allocations(
    State(state): State<ApiState>,
    Id(id): Id<NodeId>,
    Query(query): Query<AllocationQuery>,
    Asked { context, .. }: Asked<()>,
) -> Result<StatusCode, ApiError> {
    let which = CreateAllocations { address: query.address, ports: query.ports };
    state.plane.remove_allocations(&context, id, which).await?;
    Ok(StatusCode::NO_CONTENT)
}
