//! `POST /api/v1/setup`: makes the first administrator.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use nodepanel_types::api::{SessionView, Setup};

use crate::{
    ApiState,
    edge::{ApiError, ProblemResponses, body, is_secure, refuse_cross_site},
    session_renewal::with_cookie,
};

/// Makes the first administrator with the secret of the one-time link, and signs them in.
#[utoipa::path(post, path = "/setup", tag = "session", security(()),
    request_body = Setup,
    responses(
        (status = 200, body = SessionView, description = "The administrator exists and is signed in. The link is used up."),
        ProblemResponses
    )
)]
pub async fn set_up(State(state): State<ApiState>, request: Request) -> Result<Response, ApiError> {
    refuse_cross_site(request.method(), request.headers())?;
    let headers = request.headers().clone();
    let setup: Setup = body::parse(&headers, &body::read(request).await?)?;
    let signed_in = state.plane.set_up(setup).await?;
    Ok(with_cookie(Json(signed_in.view).into_response(), &signed_in.cookie, is_secure(&headers)))
}
