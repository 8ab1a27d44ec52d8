//! `DELETE /api/v1/session`: signs out.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses, SessionCookie, is_secure},
};

/// Ends the session everywhere.
#[utoipa::path(delete, path = "/session", tag = "session",
    responses((status = 204, description = "The session has ended; its cookie is no longer accepted."), ProblemResponses)
)]
pub async fn sign_out(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Asked { context, .. }: Asked<()>,
) -> Result<Response, ApiError> {
    state.plane.sign_out(&context).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(value) = SessionCookie::clear(is_secure(&headers)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}
