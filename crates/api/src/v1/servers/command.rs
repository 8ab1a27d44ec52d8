//! `POST /api/v1/servers/{id}/command`: types a line into the console.

use axum::{Json, extract::State};
use nodepanel_types::{
    ServerId,
    api::{Command, CommandSent},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, Id, ProblemResponses},
};

/// The line was typed.
#[utoipa::path(post, path = "/servers/{id}/command", tag = "servers",
    params(("id" = String, Path, description = "The server's id, a UUID."), ("Idempotency-Key" = Option<String>, Header, description = "A fresh UUID for every new request; a repetition with the same one is answered like the first and not carried out again.")),
    request_body = Command,
    responses((status = 200, body = CommandSent, description = "The line was typed."), ProblemResponses)
)]
pub async fn send_command(
    State(state): State<ApiState>,
    Id(id): Id<ServerId>,
    Asked { context, body }: Asked<Command>,
) -> Result<Json<CommandSent>, ApiError> {
    Ok(Json(state.plane.command(&context, id, body).await?))
}
