//! Typing into a console. Not stored: it happens now, or it is said that it did not.

use std::time::Duration;

use nodepanel_types::{
    ServerId,
    api::{Command, CommandSent},
    limits::COMMAND_BYTES,
    permission::Permission,
    wire::{CommandRequest, CommandResponse, WIRE_VERSION, path, refusal},
};

use crate::{
    Context, ControlError, ControlPlane,
    authorize::Scope,
    nodes::{NodeError, call_json},
};

/// How long a node may take for one try.
const DEADLINE: Duration = Duration::from_millis(1_500);

impl ControlPlane {
    /// Types a line, under the request's idempotency key.
    pub async fn command(&self, context: &Context, id: ServerId, body: Command) -> Result<CommandSent, ControlError> {
        let key = context.key.as_ref().map_or_else(|| self.ids.uuid().to_string(), |key| key.key.clone());
        self.command_keyed(context, id, body, &key).await
    }

    /// Types a line under `key`: a repetition with the same key is not typed again.
    pub async fn command_keyed(
        &self,
        context: &Context,
        id: ServerId,
        body: Command,
        key: &str,
    ) -> Result<CommandSent, ControlError> {
        let server = self.server_record(id)?;
        self.require(&context.actor, Permission::ConsoleSend, Scope::Server(&server.record))?;
        if body.line.len() > COMMAND_BYTES {
            return Err(ControlError::field("line", format!("may have at most {COMMAND_BYTES} bytes.")));
        }
        if body.line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(ControlError::field("line", "must be one line without control characters."));
        }
        if key.is_empty() || key.len() > 128 {
            return Err(ControlError::field("key", "must have 1 to 128 characters."));
        }
        // Keys of different callers never meet.
        let request =
            CommandRequest { v: WIRE_VERSION, line: body.line, key: format!("{}:{key}", context.actor.scope()) };
        let node = server.record.node;
        let place = path::command(id);
        let mut answer = call_json(&*self.nodes, node, &place, &request, DEADLINE).await;
        if matches!(answer, Err(NodeError::Deadline(_) | NodeError::Broken(_))) {
            // The same key makes a second try harmless.
            answer = call_json(&*self.nodes, node, &place, &request, DEADLINE).await;
        }
        let CommandResponse { line } = answer.map_err(|error| node_error(&error))?;
        Ok(CommandSent { line })
    }
}

/// What a failed request to a node means to a user.
pub(super) fn node_error(error: &NodeError) -> ControlError {
    match error {
        NodeError::Refused { status, kind, detail } => match (kind.as_str(), status) {
            (refusal::UNKNOWN_SERVER, _) => ControlError::NodeUnreachable(
                "The node does not know this server yet; this takes a moment after it was made.".to_owned(),
            ),
            (refusal::DISK_FULL, _) => ControlError::NodeDiskFull(detail.clone()),
            (refusal::DISK_FAILING, _) => ControlError::NodeDiskFailing(detail.clone()),
            // It could not do it now, which is no refusal.
            (_, 500..) => ControlError::NodeUnreachable(detail.clone()),
            _ => ControlError::NodeRefused(detail.clone()),
        },
        NodeError::Unreachable(reason) => {
            ControlError::NodeUnreachable(format!("{reason} The game server itself goes on without us."))
        }
        NodeError::Deadline(_) | NodeError::Broken(_) => ControlError::NodeUnreachable(format!(
            "It is not known whether the node did it: {error}. Look before you repeat it."
        )),
    }
}
