//! `POST /api/v1/nodes`: a new node.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::api::{CreateNode, NodeView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses},
};

/// The new node. Make a join token for the machine next.
#[utoipa::path(post, path = "/nodes", tag = "nodes",
    params(("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = CreateNode,
    responses((status = 201, body = NodeView, description = "The new node. Make a join token for the machine next."), ProblemResponses)
)]
pub async fn create_node(
    State(state): State<ApiState>,
    Asked { context, body }: Asked<CreateNode>,
) -> Result<(StatusCode, Json<NodeView>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.create_node(&context, body).await?)))
}
