//! `POST /api/v1/nodes/{id}/join-token`: a permission to join.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::{NodeId, api::JoinToken};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// A one-time token for `nodepanel agent join` on the machine.
#[utoipa::path(post, path = "/nodes/{id}/join-token", tag = "nodes",
    params(("id" = String, Path, description = "The node's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    responses((status = 201, body = JoinToken, description = "A one-time token for `nodepanel agent join` on the machine."), ProblemResponses)
)]
pub async fn create_join_token(
    State(state): State<ApiState>,
    Id(id): Id<NodeId>,
    Asked { context, .. }: Asked<()>,
) -> Result<(StatusCode, Json<JoinToken>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.join_token(&context, id).await?)))
}
