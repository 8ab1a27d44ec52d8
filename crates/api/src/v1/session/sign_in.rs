//! `POST /api/v1/session`: signs in.

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use nodepanel_types::api::{Credentials, SessionView};
use std::net::SocketAddr;

use crate::{
    ApiState,
    edge::{ApiError, ProblemResponses, body, is_secure, refuse_cross_site},
    session_renewal::with_cookie,
};

/// Signs in with e-mail and password.
#[utoipa::path(post, path = "/session", tag = "session", security(()),
    request_body = Credentials,
    responses(
        (status = 200, body = SessionView, description = "Signed in; the session's cookie is set."),
        ProblemResponses
    )
)]
pub async fn sign_in(State(state): State<ApiState>, request: Request) -> Result<Response, ApiError> {
    refuse_cross_site(request.method(), request.headers())?;
    let headers = request.headers().clone();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let address = state.proxies.client(peer, &headers);
    // Before the body is read: a flood must cost little.
    state.plane.may_sign_in(address)?;
    let credentials: Credentials = body::parse(&headers, &body::read(request).await?)?;
    let signed_in = state.plane.sign_in(credentials, address).await?;
    Ok(with_cookie(Json(signed_in.view).into_response(), &signed_in.cookie, is_secure(&headers)))
}
