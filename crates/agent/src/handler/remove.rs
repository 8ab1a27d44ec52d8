//! POST `/v1/servers/remove`: the end of a server, acknowledged when it is on disk that it is wanted.

use std::sync::{Arc, PoisonError};

use http::Response;
use nodepanel_backbone::Body;
use nodepanel_types::wire::Remove;
use tokio::sync::oneshot;

use super::{problem::Refusal, route::no_content};
use crate::{node::Node, server::Order};

pub(super) async fn answer(node: &Arc<Node>, request: Remove) -> Result<Response<Body>, Refusal> {
    let _turn = node.intake.lock().await;
    let Some(server) = node.server(request.server) else {
        // Nothing to delete; but a later request with an older generation must not make it again.
        node.db.entomb(request.server, request.generation).await?;
        let mut tombstones = node.tombstones.write().unwrap_or_else(PoisonError::into_inner);
        let held = tombstones.entry(request.server).or_insert(request.generation);
        *held = (*held).max(request.generation);
        return Ok(no_content());
    };
    let held = server.desired().generation;
    if request.generation < held {
        let detail = format!("The node holds generation {held} of the server, the removal has {}.", request.generation);
        return Err(Refusal::conflict("stale_generation", detail));
    }
    let (done, answer) = oneshot::channel();
    server.order(Order::Remove { generation: request.generation, done }).await?;
    match answer.await {
        Ok(result) => result?,
        Err(_) => return Err(Refusal::unavailable("The agent is shutting down; ask again.")),
    }
    Ok(no_content())
}
