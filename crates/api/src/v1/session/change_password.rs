//! `POST /api/v1/session/password`: changes one's own password.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use nodepanel_types::api::{ChangePassword, SessionView};

use crate::{
    ApiState,
    edge::{ApiError, Asked, ProblemResponses, is_secure},
    session_renewal::with_cookie,
};

/// Changes the caller's password.
#[utoipa::path(post, path = "/session/password", tag = "session",
    request_body = ChangePassword,
    responses(
        (status = 200, body = SessionView, description = "Changed. Every other session of the caller has ended."),
        ProblemResponses
    )
)]
pub async fn change_password(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Asked { context, body }: Asked<ChangePassword>,
) -> Result<Response, ApiError> {
    let signed_in = state.plane.change_password(&context, body).await?;
    Ok(with_cookie(Json(signed_in.view).into_response(), &signed_in.cookie, is_secure(&headers)))
}
