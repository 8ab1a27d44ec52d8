//! `GET /api/v1/nodes/{id}/activity`: what happened on a node.

use axum::{Json, extract::State};
use nodepanel_types::{NodeId, wire::ActivityEntry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    ApiState,
    edge::{ApiError, Caller, Id, ProblemResponses, Query},
};

/// How much of it.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NodeActivityQuery {
    /// At most this many, 1 to 1000; 100 when left out.
    pub limit: Option<u32>,
}

/// What happened, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NodeActivity {
    /// The entries. Their numbers have no holes: where the node had to forget some before it could tell them, an entry
    /// says how many.
    pub items: Vec<ActivityEntry>,
}

/// What happened on the node, to its servers and to itself: all that it told of so far, also when it does not answer now.
#[utoipa::path(get, path = "/nodes/{id}/activity", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), NodeActivityQuery),
    responses((status = 200, body = NodeActivity, description = "The entries, newest first."), ProblemResponses)
)]
pub async fn get_node_activity(
    State(state): State<ApiState>,
    Caller(context): Caller,
    Id(id): Id<NodeId>,
    Query(query): Query<NodeActivityQuery>,
) -> Result<Json<NodeActivity>, ApiError> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1_000);
    Ok(Json(NodeActivity { items: state.plane.node_activity(&context, id, limit).await? }))
}
