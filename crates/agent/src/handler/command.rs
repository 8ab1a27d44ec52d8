//! POST `/v1/servers/{id}/command`: a line for the console, typed once however often it is asked for.

use std::{sync::Arc, time::Duration};

use http::{Response, StatusCode};
use nodepanel_backbone::Body;
use nodepanel_types::{
    limits::COMMAND_BYTES,
    wire::{CommandRequest, CommandResponse},
};

use super::problem::{Refusal, json};
use crate::{
    node::Node,
    runtime::RuntimeError,
    server::{Feed, Server},
};

/// How long a keeper may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest key.
const KEY_BYTES: usize = 128;

pub(super) async fn answer(
    node: &Arc<Node>,
    server: &Arc<Server>,
    request: CommandRequest,
) -> Result<Response<Body>, Refusal> {
    check(&request)?;
    let CommandRequest { line, key, .. } = request;
    if let Some(line) = node.db.reserve_key(server.id, key.clone(), node.clock.now()).await? {
        return Ok(json(StatusCode::OK, &CommandResponse { line }));
    }
    let feed = server.console().borrow().clone();
    let refusal = match feed {
        Feed::Closed | Feed::Pause => {
            Refusal::conflict("not_running", "The server does not run; nobody reads its console.")
        }
        Feed::Live(run) => match tokio::time::timeout(DEADLINE, run.command(&line, &key)).await {
            Ok(Ok(line)) => {
                // It was typed, whatever the database says of it: the shim, too, recognises a repetition.
                if line.is_some() {
                    let _ = node.db.settle_key(server.id, key, line).await;
                }
                return Ok(json(StatusCode::OK, &CommandResponse { line }));
            }
            Ok(Err(RuntimeError::Refused { message, .. })) => Refusal::conflict("not_typed", message),
            // Typed or not, nobody knows. The key may be tried again; the shim knows it if it was typed.
            Ok(Err(error)) => Refusal::unavailable(error.for_owner()),
            Err(_) => Refusal::unavailable("The server's keeper did not answer within 5 s."),
        },
    };
    node.db.settle_key(server.id, key, None).await?;
    Err(refusal)
}

fn check(request: &CommandRequest) -> Result<(), Refusal> {
    if request.line.len() > COMMAND_BYTES {
        return Err(Refusal::invalid(format!("`line` is longer than {COMMAND_BYTES} bytes.")));
    }
    if request.line.chars().any(|character| character.is_control() && character != '\t') {
        return Err(Refusal::invalid("`line` contains control characters."));
    }
    if request.key.is_empty() || request.key.len() > KEY_BYTES {
        return Err(Refusal::invalid(format!("`key` must have 1 to {KEY_BYTES} bytes.")));
    }
    Ok(())
}
