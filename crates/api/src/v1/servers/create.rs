//! `POST /api/v1/servers`: a new game server.

use axum::{Json, extract::State, http::StatusCode};
use nodepanel_types::api::{CreateServer, ServerView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses},
};

/// The new server. Its installation begins at once.
#[utoipa::path(post, path = "/servers", tag = "servers",
    params(("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = CreateServer,
    responses((status = 201, body = ServerView, description = "The new server. Its installation begins at once."), ProblemResponses)
)]
pub async fn create_server(
    State(state): State<ApiState>,
    Asked { context, body }: Asked<CreateServer>,
) -> Result<(StatusCode, Json<ServerView>), ApiError> {
    Ok((StatusCode::CREATED, Json(state.plane.create_server(&context, body).await?)))
}
