//! POST `/v1/ports/check`: which of these could not be bound now, and who has them.

use std::sync::Arc;

use http::{Response, StatusCode};
use nodepanel_backbone::Body;
use nodepanel_types::wire::{PortCheckRequest, PortCheckResponse};

use super::problem::{Refusal, json};
use crate::{node::Node, ports};

/// Endpoints that are checked at a time.
const MOST: usize = 256;

pub(super) async fn answer(node: &Arc<Node>, request: PortCheckRequest) -> Result<Response<Body>, Refusal> {
    if request.endpoints.len() > MOST {
        return Err(Refusal::invalid(format!("At most {MOST} endpoints are checked at a time.")));
    }
    let servers: Vec<_> = node.all().iter().map(|server| (server.uid, server.desired().name.clone())).collect();
    let check = move || ports::taken(request.endpoints, &servers);
    let taken = tokio::task::spawn_blocking(check).await;
    let taken = taken.map_err(|_| Refusal::unavailable("The agent is shutting down; ask again."))?;
    Ok(json(StatusCode::OK, &PortCheckResponse { taken }))
}
