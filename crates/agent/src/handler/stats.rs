//! GET `/v1/servers/{id}/stats`: the last hour from memory, the last week from disk.

use std::sync::Arc;

use http::{Response, StatusCode};
use nodepanel_backbone::Body;
use nodepanel_types::{
    limits::STATS_HISTORY_MINUTES,
    stats::{StatsSeries, StatsWindow},
};

use super::{
    problem::{Refusal, json},
    route::parameter,
};
use crate::{node::Node, server::Server};

pub(super) async fn answer(node: &Arc<Node>, server: &Arc<Server>, query: &str) -> Result<Response<Body>, Refusal> {
    let now = node.clock.now();
    let series = match parameter(query, "window") {
        None | Some("hour") => StatsSeries { window: StatsWindow::Hour, step_s: 1, samples: server.hour(now) },
        Some("week") => {
            let minute = now.as_millis().max(0).unsigned_abs() / 60_000;
            let minutes = node.db.minutes(server.id, minute.saturating_sub(STATS_HISTORY_MINUTES)..=minute).await?;
            // What was measured while the clock was ahead is shown when that time has come.
            let samples = minutes.iter().map(|minute| minute.sample.unpack()).collect();
            StatsSeries { window: StatsWindow::Week, step_s: 60, samples }
        }
        Some(_) => return Err(Refusal::invalid("`window` must be `hour` or `week`")),
    };
    Ok(json(StatusCode::OK, &series))
}
