//! `nodepanel server start`, `stop`, `restart` and `kill`: asks, and waits until it is so.

use std::time::Duration;

use nodepanel_types::{
    api::{Power, ServerView},
    state::{PowerAction, ServerState},
};
use tokio::time::Instant;

use super::{
    super::{arguments::PowerArguments, client::Client, output},
    find,
};
use crate::exit::{Exit, Refusal};

/// How often the state is looked at while waiting.
const LOOK: Duration = Duration::from_millis(200);
/// How long a node may be out of reach while something of it is waited for.
const NODE: Duration = Duration::from_secs(10);

/// Asks for an action and waits for its end.
pub async fn run(client: &Client, action: PowerAction, arguments: PowerArguments) -> anyhow::Result<Exit> {
    let id = find(client, &arguments.server).await?.id;
    let mut view: ServerView = client.post(&format!("/api/v1/servers/{id}/power"), &Power { action }).await?;
    if !arguments.no_wait {
        let passing: &[ServerState] = if action.wants_running() {
            &[ServerState::Stopped, ServerState::Starting, ServerState::Stopping]
        } else {
            &[
                ServerState::Running,
                ServerState::Starting,
                ServerState::Stopping,
                ServerState::Crashed,
                ServerState::CrashLooping,
            ]
        };
        view = wait(client, view, passing, false).await?;
    }
    report(&view, arguments.json)
}

/// Looks at a server until its state is none of `passing`. With `settle` it has to enter one of them first, or not to
/// within a moment.
///
/// A node that cannot be reached is waited for, for a while: in the first moment after a start it is not linked to every
/// API server yet.
pub async fn wait(
    client: &Client,
    mut view: ServerView,
    passing: &[ServerState],
    settle: bool,
) -> anyhow::Result<ServerView> {
    let mut looks = 0;
    let mut unreachable = Unreachable::default();
    loop {
        tokio::time::sleep(LOOK).await;
        view = client.get(&format!("/api/v1/servers/{}", view.id)).await?;
        if view.state == ServerState::Unreachable {
            unreachable.bear(&view)?;
            continue;
        }
        unreachable = Unreachable::default();
        looks += 1;
        if !passing.contains(&view.state) && (!settle || looks > 5) {
            return Ok(view);
        }
    }
}

/// How long a node has not been reached.
#[derive(Default)]
struct Unreachable {
    since: Option<Instant>,
}

impl Unreachable {
    /// Bears one more look in vain: says once what is waited for, and gives up after `NODE`.
    fn bear(&mut self, view: &ServerView) -> Result<(), Refusal> {
        let Some(since) = self.since else {
            self.since = Some(Instant::now());
            output::note(format_args!(
                "Waiting up to {} s for the node {} to be reached: {}",
                NODE.as_secs(),
                output::plain(&view.node.name),
                output::plain(&view.reason)
            ));
            return Ok(());
        };
        if since.elapsed() < NODE {
            return Ok(());
        }
        Err(Refusal {
            exit: Exit::Unavailable,
            message: format!(
                "The node {} could not be reached for {} s. {} What was asked for is kept, and happens when the node is \
                 back; `nodepanel node list` shows it.",
                output::plain(&view.node.name),
                NODE.as_secs(),
                output::plain(&view.reason)
            ),
        })
    }
}

/// Prints where a server has got to; the exit code says whether that is what was wanted.
pub fn report(view: &ServerView, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(view)?;
    } else {
        output::line(format_args!(
            "{}: {}. {}",
            output::plain(&view.name),
            view.state.as_str().replace('_', " "),
            output::plain(&view.reason)
        ))?;
    }
    let failed = matches!(view.state, ServerState::Crashed | ServerState::CrashLooping)
        || matches!(view.install, Some(nodepanel_types::wire::InstallState::Failed { .. }));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
