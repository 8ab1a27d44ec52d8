//! GET `/v1/servers/{id}/activity`: what the node did with a server, newest first.

use std::sync::Arc;

use http::{Response, StatusCode};
use nodepanel_backbone::Body;

use super::{
    problem::{Refusal, json},
    route::number,
};
use crate::{node::Node, server::Server};

const DEFAULT: u64 = 100;
const MOST: u64 = 1_000;

pub(super) async fn answer(node: &Arc<Node>, server: &Arc<Server>, query: &str) -> Result<Response<Body>, Refusal> {
    let limit = number(query, "limit")?.unwrap_or(DEFAULT).min(MOST);
    let entries = node.db.activity_of(server.id, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    Ok(json(StatusCode::OK, &entries))
}
