//! `nodepanel server start`, `stop`, `restart` and `kill`: asks, and waits until it is so.

use std::time::Duration;

use nodepanel_types::{
    api::{Power, ServerView},
    state::{PowerAction, ServerState},
};

use super::{
    super::{arguments::PowerArguments, client::Client, output},
    find,
};
use crate::exit::{Exit, Refusal};

/// How often the state is looked at while waiting.
const LOOK: Duration = Duration::from_millis(200);

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
pub async fn wait(
    client: &Client,
    mut view: ServerView,
    passing: &[ServerState],
    settle: bool,
) -> anyhow::Result<ServerView> {
    let mut looks = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        view = client.get(&format!("/api/v1/servers/{}", view.id)).await?;
        looks += 1;
        if view.state == ServerState::Unreachable {
            return Err(Refusal { exit: Exit::Unavailable, message: output::plain(&view.reason) }.into());
        }
        if !passing.contains(&view.state) && (!settle || looks > 5) {
            return Ok(view);
        }
    }
}

/// Prints where a server has got to; the exit code says whether that is what was wanted.
pub fn report(view: &ServerView, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(view)?;
    } else {
        println!(
            "{}: {}. {}",
            output::plain(&view.name),
            view.state.as_str().replace('_', " "),
            output::plain(&view.reason)
        );
    }
    let failed = matches!(view.state, ServerState::Crashed | ServerState::CrashLooping)
        || matches!(view.install, Some(nodepanel_types::wire::InstallState::Failed { .. }));
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
