//! Metrics of this process, in Prometheus' text format.

use std::time::Duration;

use axum::{
    extract::State,
    http::{Method, header},
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    ApiState,
    edge::{ApiError, Caller},
};

/// Renders what was measured.
pub type MetricsHandle = PrometheusHandle;

const REQUESTS: &str = "nodepanel_http_requests_total";
const DURATION: &str = "nodepanel_http_request_duration_seconds";
/// Upper bounds of the histogram, in seconds.
const BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

/// Makes the recorder of this process. `None` when there is one already or its parameters are refused; the process
/// then works without metrics of its own.
pub fn install_metrics() -> Option<MetricsHandle> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS).ok()?;
    let handle = builder.install_recorder().ok()?;
    metrics::describe_counter!(REQUESTS, "Answered requests, by method, route and status.");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time from a request's head to its answer's head.");
    Some(handle)
}

/// Counts an answered request.
pub fn answered(method: &Method, route: &str, status: u16, took: Duration) {
    let labels = [("method", method.as_str().to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    metrics::counter!(REQUESTS, &labels).increment(1);
    metrics::histogram!(DURATION, "route" => route.to_owned()).record(took.as_secs_f64());
}

/// `GET /metrics`, for administrators' API keys and for this host.
pub async fn metrics_page(State(state): State<ApiState>, Caller(context): Caller) -> Result<Response, ApiError> {
    let gauges = state.plane.gauges(&context)?;
    for (name, value) in gauges {
        metrics::gauge!(name).set(value);
    }
    state.metrics.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.render()).into_response())
}
