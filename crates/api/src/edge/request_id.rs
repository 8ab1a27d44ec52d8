//! Every request has an id: in its log line, in its answer's header, in its problem document.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use nodepanel_types::RequestId;

use crate::{ApiState, telemetry};

/// The id of the request at hand.
#[derive(Debug, Clone, Copy)]
pub struct RequestIdExt(pub RequestId);

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id, counts it and logs it once it is answered.
pub async fn stamp_requests(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::from_uuid(state.plane.ids.uuid());
    request.extensions_mut().insert(RequestIdExt(id));
    let method = request.method().clone();
    // The pattern, not the path: a log must not grow a name per server, and metrics even less.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(no route)".to_owned(), |path| path.as_str().to_owned());
    let began = Instant::now();
    let mut response = next.run(request).await;
    let took = began.elapsed();
    let status = response.status().as_u16();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HEADER, value);
    }
    telemetry::answered(&method, &route, status, took);
    tracing::debug!(
        request.id = %id, http.method = %method, http.route = route, http.status = status,
        took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"
    );
    response
}
