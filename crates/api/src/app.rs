//! The whole application: endpoints, and what every request passes on its way in and out.

use std::sync::{Arc, LazyLock};

use axum::{Router, http::header, middleware::from_fn_with_state, routing::get};
use bytes::Bytes;
use tower_http::compression::{CompressionLayer, Predicate as _, predicate};

use crate::{
    ApiState,
    docs_page::{self, DocsPage},
    edge::gate,
    health, panel, telemetry, v1,
};

/// Everything that this process answers.
pub fn router(state: ApiState) -> Router {
    let (api, document) = v1::routes();
    // Made when somebody asks for it: a start has no time for it.
    let document = Arc::new(LazyLock::new(move || Bytes::from(document.to_json().unwrap_or_default())));
    let docs = Arc::new(LazyLock::new({
        let document = Arc::clone(&document);
        move || DocsPage::of(&serde_json::from_slice(&document).unwrap_or_default())
    }));
    let not_streams = predicate::DefaultPredicate::new().and(predicate::NotForContentType::new("text/event-stream"));
    api.route(
        "/api/v1/openapi.json",
        get(move || {
            let document = Bytes::clone(&document);
            async move { ([(header::CONTENT_TYPE, "application/json")], document) }
        }),
    )
    .route("/api/docs", get(move || async move { docs.answer() }))
    .route("/api/docs.css", get(docs_page::style))
    .route("/healthz", get(health::healthz))
    .route("/readyz", get(health::readyz))
    .route("/metrics", get(telemetry::metrics_page))
    .fallback(panel::serve)
    // The last layer is the outermost.
    .layer(CompressionLayer::new().compress_when(not_streams))
    .layer(from_fn_with_state(state.clone(), gate))
    .with_state(state)
}
