//! A server as the API shows it: what is wanted, what is observed, and what the caller may do.

use nodepanel_store::Stored;
use nodepanel_types::{
    ServerId,
    api::{ActionState, Actions, Players, ServerNode, ServerOwner, ServerTemplate, ServerView},
    state::{Phase, PowerAction, ServerState, allowed},
    stats::Sample,
    wire::ObservedServer,
};
use std::sync::Arc;

use crate::{
    Actor, ControlError, ControlPlane,
    authorize::{Scope, held},
    observed::{NodePicture, Presence},
    record::ServerRecord,
};

/// What is known of a server besides its record.
struct Seen {
    observed: Option<ObservedServer>,
    sample: Option<Sample>,
    online: bool,
    /// Whether the node has told of all its servers since it is online.
    complete: bool,
    heard_at: Option<nodepanel_types::Timestamp>,
    silence: Option<String>,
}

impl Seen {
    /// Whether the node's agent is still finding out what the server does.
    fn looking(&self) -> bool {
        self.observed.as_ref().is_some_and(|observed| observed.looking)
    }
}

impl ControlPlane {
    /// The record of a server, whoever asks.
    pub(crate) fn server_record(&self, id: ServerId) -> Result<Arc<Stored<ServerRecord>>, ControlError> {
        let unknown = || self.missing(ControlError::NotFound { kind: "server", id: id.to_string() });
        self.tables.servers.get(&id).ok_or_else(unknown)
    }

    /// What the node says of a server: its phase, if it was ever reported, and whether it is the present one.
    pub(crate) fn phase(&self, server: &ServerRecord) -> (Option<Phase>, bool) {
        self.observed.with(server.node, |picture| {
            let seen = picture.and_then(|picture| picture.servers.get(&server.id));
            let looking = seen.is_some_and(|seen| seen.looking);
            (seen.map(|seen| seen.phase.clone()), picture.is_some_and(NodePicture::online) && !looking)
        })
    }

    /// The server as `actor` sees it.
    pub(crate) fn view_server(&self, actor: &Actor, server: &ServerRecord) -> ServerView {
        let seen = self.observed.with(server.node, |picture| seen(server, picture));
        let phase = seen.observed.as_ref().map(|observed| &observed.phase);
        let (state, reason) = Self::state_of(server, &seen);
        let owner = self.tables.users.get(&server.owner).map(|owner| owner.record.email.clone()).unwrap_or_default();
        let node = self.tables.machines.get(&server.node).map(|node| node.record.name.clone()).unwrap_or_default();
        ServerView {
            id: server.id,
            name: server.name.clone(),
            owner: ServerOwner { id: server.owner, email: owner },
            node: ServerNode { id: server.node, name: node, online: seen.online },
            template: self.view_template(server),
            endpoints: server.endpoints.clone(),
            limits: server.limits,
            variables: server.variables.clone(),
            crash: server.crash,
            state,
            reason,
            since: seen.observed.as_ref().map(|observed| observed.since),
            as_of: seen.heard_at,
            last_known_state: (state == ServerState::Unreachable).then(|| phase.map(Phase::state)).flatten(),
            wants_running: server.power.action.wants_running(),
            install: seen.observed.as_ref().map(|observed| observed.install.clone()),
            install_percent: match phase {
                Some(Phase::Installing { percent, .. }) => Some(*percent),
                _ => None,
            },
            automatic_restarts: seen.observed.as_ref().map_or(0, |observed| observed.automatic_restarts),
            notice: seen.observed.as_ref().and_then(|observed| observed.notice.clone()),
            stats: seen.sample,
            players: players(seen.sample.as_ref()),
            actions: actions(server, phase, seen.online && !seen.looking()),
            permissions: held(actor, Scope::Server(server)),
            generation: server.generation,
            created_at: server.created_at,
            deleting: server.deleting_since.is_some(),
        }
    }

    fn view_template(&self, server: &ServerRecord) -> ServerTemplate {
        let template = self.tables.templates.get(&server.template);
        let newest = template.as_ref().map_or(server.template_version, |template| template.record.version);
        ServerTemplate {
            id: server.template,
            name: template.map(|template| template.record.name.clone()).unwrap_or_default(),
            version: server.template_version,
            newer_version: (newest > server.template_version).then_some(newest),
        }
    }

    fn state_of(server: &ServerRecord, seen: &Seen) -> (ServerState, String) {
        let known = seen.observed.as_ref();
        if !seen.online {
            let silence = seen.silence.clone().unwrap_or_else(|| "Its node has not been heard of yet.".to_owned());
            let meaning = match known {
                Some(observed) => format!(
                    "The server was {} then, and goes on without us. Power and console come back by themselves when the \
                     node does.",
                    observed.phase.state().as_str().replace('_', " ")
                ),
                None => "What was asked for happens when the node is back.".to_owned(),
            };
            return (ServerState::Unreachable, format!("{silence} {meaning}"));
        }
        if server.deleting_since.is_some() {
            let state = known.map_or(ServerState::Stopping, |observed| observed.phase.state());
            return (state, "Being deleted: the node stops it and removes its files.".to_owned());
        }
        match known {
            Some(observed) if observed.looking => {
                let before = observed.phase.state().as_str().replace('_', " ");
                let reason = format!(
                    "Its node's agent has just been started and is finding out whether the server runs. It was {before} \
                     before."
                );
                (ServerState::Unreachable, reason)
            }
            Some(observed) => (observed.phase.state(), observed.phase.reason()),
            // An API server that has just started: what the server does is not known here, and never guessed.
            None if !seen.complete => {
                let reason = "Its node answers and has not told of this server yet. This takes a moment.";
                (ServerState::Unreachable, reason.to_owned())
            }
            None => (ServerState::Installing, "On its way to the node.".to_owned()),
        }
    }
}

fn seen(server: &ServerRecord, picture: Option<&NodePicture>) -> Seen {
    let Some(picture) = picture else {
        return Seen { observed: None, sample: None, online: false, complete: false, heard_at: None, silence: None };
    };
    let silence = match &picture.presence {
        Presence::Silent { since, reason } => {
            Some(format!("The node does not answer since {since}: {}.", reason.trim_end_matches('.')))
        }
        _ => None,
    };
    Seen {
        observed: picture.servers.get(&server.id).cloned(),
        sample: picture.samples.get(&server.id).copied(),
        online: picture.online(),
        complete: picture.complete,
        heard_at: picture.heard_at,
        silence,
    }
}

/// As told in the newest sample; nothing once the server or its node is silent about it.
fn players(sample: Option<&Sample>) -> Option<Players> {
    let sample = sample?;
    sample.players.map(|online| Players { online, max: sample.players_max })
}

fn actions(server: &ServerRecord, phase: Option<&Phase>, online: bool) -> Actions {
    let action = |action: PowerAction| match permitted(server, action, phase, online) {
        Ok(()) => ActionState { allowed: true, reason: None },
        Err(reason) => ActionState { allowed: false, reason: Some(reason) },
    };
    Actions {
        start: action(PowerAction::Start),
        stop: action(PowerAction::Stop),
        restart: action(PowerAction::Restart),
        kill: action(PowerAction::Kill),
    }
}

/// Whether an action may be asked for now, and if not, why not.
pub(super) fn permitted(
    server: &ServerRecord,
    action: PowerAction,
    phase: Option<&Phase>,
    online: bool,
) -> Result<(), String> {
    if server.deleting_since.is_some() {
        return Err(format!("Cannot {}: the server is being deleted.", action.as_str()));
    }
    allowed(action, phase, online)
}
