//! POST `/v1/servers/{id}/command`: a line for the console, typed once however often it is asked for.

use std::{sync::Arc, time::Duration};

use http::{Response, StatusCode};
use nodepanel_backbone::Body;
use nodepanel_types::{
    Timestamp,
    limits::COMMAND_BYTES,
    wire::{CommandRequest, CommandResponse},
};

use super::problem::{Refusal, json};
use crate::{
    db::{KeptRefusal, Reserved},
    node::Node,
    runtime::{RunState, Running, RuntimeError},
    server::{Feed, Server},
};

/// How long a keeper may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Why a key that was reserved for a run that is over is refused, for programs.
const LOST: &str = "not_known";
/// The same in words.
const NOT_KNOWN: &str = "It is not known whether this line was typed: the server ended at the same time. Look at its \
                         console before you type it again.";
/// Why nothing is typed before it is known what runs.
const LOOKING: &str = "The node's agent was just started and is still finding out whether the server runs; its keeper \
                       has not answered yet. Nothing was typed. Try again in a moment.";
/// Why a line is refused that nobody would read.
const NOT_RUNNING: &str = "The server does not run; nobody reads its console.";
/// The longest key.
const KEY_BYTES: usize = 128;

pub(super) async fn answer(
    node: &Arc<Node>,
    server: &Arc<Server>,
    request: CommandRequest,
) -> Result<Response<Body>, Refusal> {
    check(&request)?;
    let CommandRequest { line, key, .. } = request;
    if server.observed().looking {
        // Nothing is reserved: whether anybody would have read the line is not known yet.
        return Err(Refusal::unavailable(LOOKING));
    }
    let reserved = node.db.reserve_key(server.id, key.clone(), node.clock.now()).await?;
    let unsettled = match reserved {
        Reserved::Typed { line } => return Ok(json(StatusCode::OK, &CommandResponse { line: Some(line) })),
        Reserved::Refused(KeptRefusal { kind, detail }) => return Err(Refusal::conflict(&kind, detail)),
        Reserved::Unsettled { at } => Some(at),
        Reserved::New => None,
    };
    let feed = server.console().borrow().clone();
    let run = match feed {
        // The keeper of the run for which the key was reserved knows whether its line was typed, and types it once; the
        // keeper of a later run does not.
        Feed::Live(run) if unsettled.is_none_or(|at| began_before(&*run, at)) => run,
        _ if unsettled.is_some() => return Err(Refusal::conflict(LOST, NOT_KNOWN)),
        _ => {
            return Err(refuse(node, server, key, "not_running", NOT_RUNNING.to_owned()).await?);
        }
    };
    match tokio::time::timeout(DEADLINE, run.command(&line, &key)).await {
        Ok(Ok(line)) => {
            // It was typed, whatever the database says of it: the shim, too, recognises a repetition.
            if let Some(line) = line {
                let _ = node.db.settle_key(server.id, key, line).await;
            }
            Ok(json(StatusCode::OK, &CommandResponse { line }))
        }
        Ok(Err(RuntimeError::Refused { message, .. })) => Err(refuse(node, server, key, "not_typed", message).await?),
        // Typed or not, nobody knows: the key stays reserved, and who repeats it finds out.
        Ok(Err(error)) => Err(Refusal::unavailable(error.for_owner())),
        Err(_) => Err(Refusal::unavailable("The server's keeper did not answer within 5 s.")),
    }
}

/// The refusal of every key that was reserved for a run that has ended, and whose outcome was never written down.
pub(crate) fn lost() -> KeptRefusal {
    KeptRefusal { kind: LOST.to_owned(), detail: NOT_KNOWN.to_owned() }
}

/// A refusal, which is kept under the key before it is told. An error when it cannot be kept, and then is not told.
async fn refuse(
    node: &Node,
    server: &Server,
    key: String,
    kind: &'static str,
    detail: String,
) -> Result<Refusal, Refusal> {
    let refusal = KeptRefusal { kind: kind.to_owned(), detail: detail.clone() };
    node.db.refuse_key(server.id, key, refusal, node.clock.now()).await?;
    Ok(Refusal::conflict(kind, detail))
}

/// Whether a run had begun when the key was reserved.
fn began_before(run: &dyn Running, reserved_at: Timestamp) -> bool {
    match &*run.state().borrow() {
        RunState::Alive { run: Some(run), .. } => run.started_at <= reserved_at,
        _ => false,
    }
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
