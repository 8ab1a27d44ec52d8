//! POST `/v1/servers/apply`: desired states, acknowledged when they are on disk.

use std::{os::unix::fs::MetadataExt as _, sync::Arc};

use http::{Response, StatusCode};
use nodepanel_backbone::Body;
use nodepanel_types::{
    ServerId,
    wire::{Applied, ApplyOutcome, ApplyRequest, ApplyResponse, DesiredServer},
};

use super::{
    problem::{Refusal, json},
    validate,
};
use crate::{node::Node, server};

pub(super) async fn answer(node: &Arc<Node>, request: ApplyRequest) -> Result<Response<Body>, Refusal> {
    let _turn = node.intake.lock().await;
    let mut outcomes = Vec::with_capacity(request.servers.len());
    let mut accepted: Vec<DesiredServer> = Vec::new();
    for desired in request.servers {
        let outcome = if accepted.iter().any(|other| other.server == desired.server) {
            ApplyOutcome::Refused { reason: "The request names this server twice.".to_owned() }
        } else {
            judge(node, &desired)
        };
        outcomes.push(Applied { server: desired.server, outcome: outcome.clone() });
        if outcome == ApplyOutcome::Applied {
            accepted.push(desired);
        }
    }
    if !accepted.is_empty() {
        let wishes = accepted.iter().map(|desired| (desired.clone(), owner_of_files(node, desired.server))).collect();
        let uids = node.db.accept(wishes).await?;
        for (desired, uid) in accepted.into_iter().zip(uids) {
            match node.server(desired.server) {
                Some(server) => server.wish(desired),
                None => server::admit(node, desired, uid),
            }
        }
    }
    Ok(json(StatusCode::OK, &ApplyResponse { servers: outcomes }))
}

/// The user of the files that a server has here already, if it is one of those that servers get.
fn owner_of_files(node: &Node, server: ServerId) -> Option<u32> {
    let files = std::fs::symlink_metadata(node.layout.server(server).files()).ok()?;
    (node.own_users && crate::users::may_be_a_servers(files.uid())).then(|| files.uid())
}

fn judge(node: &Node, desired: &DesiredServer) -> ApplyOutcome {
    if let Some(held) = node.tombstone(desired.server) {
        return ApplyOutcome::Stale { held: held.max(desired.generation) };
    }
    if let Some(server) = node.server(desired.server) {
        let held = server.desired();
        if held.generation > desired.generation {
            return ApplyOutcome::Stale { held: held.generation };
        }
        if held.generation == desired.generation {
            return ApplyOutcome::Unchanged;
        }
    }
    match validate::check(desired) {
        Ok(()) => ApplyOutcome::Applied,
        Err(reason) => ApplyOutcome::Refused { reason },
    }
}
