//! The whole application: endpoints, and what every request passes on its way in and out.

use std::any::Any;

use axum::{
    Router,
    http::header,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use nodepanel_types::problem::ProblemCode;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, Predicate as _, predicate},
};

use crate::{
    ApiState,
    docs_page::{self, DocsPage},
    edge::{ApiError, look_twice, render_problems, security_headers, stamp_requests},
    health, panel,
    session_renewal::renew_sessions,
    telemetry, v1,
};

/// Everything that this process answers.
pub fn router(state: ApiState) -> Router {
    let (api, document) = v1::routes();
    let docs = DocsPage::of(&serde_json::to_value(&document).unwrap_or_default());
    let document: bytes::Bytes = document.to_json().unwrap_or_default().into();
    let not_streams = predicate::DefaultPredicate::new().and(predicate::NotForContentType::new("text/event-stream"));
    api.route(
        "/api/v1/openapi.json",
        get(move || {
            let document = document.clone();
            async move { ([(header::CONTENT_TYPE, "application/json")], document) }
        }),
    )
    .route("/api/docs", get(move || async move { docs.answer() }))
    .route("/api/docs.css", get(docs_page::style))
    .route("/healthz", get(health::healthz))
    .route("/readyz", get(health::readyz))
    .route("/metrics", get(telemetry::metrics_page))
    .fallback(panel::serve)
    // From here on, the last layer is the outermost.
    .layer(CatchPanicLayer::custom(after_panic))
    .layer(from_fn(renew_sessions))
    .layer(from_fn_with_state(state.clone(), look_twice))
    .layer(from_fn(render_problems))
    .layer(CompressionLayer::new().compress_when(not_streams))
    .layer(from_fn(security_headers))
    .layer(from_fn_with_state(state.clone(), stamp_requests))
    .with_state(state)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn after_panic(panic: Box<dyn Any + Send>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = what, "a request handler panicked");
    ApiError::new(
        ProblemCode::Internal,
        "NodePanel made a mistake while it worked on this; the operator finds it in the log by the request's id. \
         Game servers are not affected.",
    )
    .into_response()
}
