//! Metrics of this process, in Prometheus' text format.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    extract::State,
    http::{Method, header},
    response::{IntoResponse, Response},
};
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    ApiState,
    edge::{ApiError, Caller},
};

const REQUESTS: &str = "nodepanel_http_requests_total";
const DURATION: &str = "nodepanel_http_request_duration_seconds";
/// Upper bounds of the histogram, in seconds.
const BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];
/// How often samples are put into the histogram's buckets; until then each is kept by itself.
const UPKEEP: Duration = Duration::from_secs(5);

/// Renders what was measured. Clones are the same.
#[derive(Clone)]
pub struct MetricsHandle {
    exporter: PrometheusHandle,
    routes: Arc<RwLock<HashMap<String, RouteMetrics>>>,
}

/// The metrics of one route, looked up once: making their labels anew would cost more than counting.
struct RouteMetrics {
    took: Histogram,
    answered: HashMap<(&'static str, u16), Counter>,
}

/// Makes the recorder of this process, and keeps it small from then on: to be called within a tokio runtime. `None`
/// when there is one already or its parameters are refused; the process then works without metrics of its own.
pub fn install_metrics() -> Option<MetricsHandle> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS).ok()?;
    let exporter = builder.install_recorder().ok()?;
    metrics::describe_counter!(REQUESTS, "Answered requests, by method, route and status.");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time from a request's head to its answer's head.");
    let kept_small = exporter.clone();
    tokio::spawn(async move {
        let mut again = tokio::time::interval(UPKEEP);
        loop {
            again.tick().await;
            kept_small.run_upkeep();
        }
    });
    Some(MetricsHandle { exporter, routes: Arc::default() })
}

impl MetricsHandle {
    /// Counts an answered request.
    pub fn answered(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let (method, took) = (name_of(method), took.as_secs_f64());
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = known.get(route)
            && let Some(counter) = metrics.answered.get(&(method, status))
        {
            counter.increment(1);
            metrics.took.record(took);
            return;
        }
        drop(known);
        let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let metrics = known.entry(route.to_owned()).or_insert_with(|| RouteMetrics {
            took: metrics::histogram!(DURATION, "route" => route.to_owned()),
            answered: HashMap::new(),
        });
        let counter = metrics.answered.entry((method, status)).or_insert_with(|| {
            let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
            metrics::counter!(REQUESTS, &labels)
        });
        counter.increment(1);
        metrics.took.record(took);
    }
}

/// The method as a label. Anybody can invent methods; a label for each would fill the memory.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// `GET /metrics`, for administrators' API keys and for this host.
pub async fn metrics_page(State(state): State<ApiState>, Caller(context): Caller) -> Result<Response, ApiError> {
    let gauges = state.plane.gauges(&context)?;
    for (name, value) in gauges {
        metrics::gauge!(name).set(value);
    }
    state.metrics.exporter.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.exporter.render()).into_response())
}
