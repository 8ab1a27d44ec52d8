//! `/healthz`: this process is alive. `/readyz`: it can do its work, or why not.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::ApiState;

/// Alive: the event loop answers.
pub async fn healthz() -> Response {
    Json(json!({"status": "alive"})).into_response()
}

/// Ready, or the reasons why not. A store that cannot be written leaves this process ready with a reason: reads go on.
pub async fn readyz(State(state): State<ApiState>) -> Response {
    let readiness = state.plane.readiness();
    let draining = *state.draining.borrow();
    let status = if readiness.ready && !draining { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut reasons = readiness.reasons;
    if draining {
        reasons.push("This process finishes what it has and ends.".to_owned());
    }
    // Which process answers: behind one address there are several, and whoever watches them from outside must be able
    // to tell them apart.
    let body = json!({
        "ready": status == StatusCode::OK,
        "reasons": reasons,
        "version": env!("CARGO_PKG_VERSION"),
        "process": std::process::id(),
    });
    (status, Json(body)).into_response()
}
