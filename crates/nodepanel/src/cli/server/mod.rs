//! `nodepanel server`.

mod console;
mod create;
mod list;
mod logs;
mod power;

use nodepanel_types::{
    ServerId,
    api::{CommandSent, Page, ServerView},
    state::PowerAction,
};

use super::{
    arguments::ServerCommand,
    client::{Client, encode},
    output,
};
use crate::exit::{Exit, Refusal};

/// Runs a command about game servers.
pub async fn run(client: &Client, command: ServerCommand) -> anyhow::Result<Exit> {
    match command {
        ServerCommand::List { json } => list::run(client, json).await?,
        ServerCommand::Show { server, json } => list::show(&find(client, &server).await?, json)?,
        ServerCommand::Create(arguments) => return create::run(client, arguments).await,
        ServerCommand::Start(arguments) => return power::run(client, PowerAction::Start, arguments).await,
        ServerCommand::Stop(arguments) => return power::run(client, PowerAction::Stop, arguments).await,
        ServerCommand::Restart(arguments) => return power::run(client, PowerAction::Restart, arguments).await,
        ServerCommand::Kill(arguments) => return power::run(client, PowerAction::Kill, arguments).await,
        ServerCommand::Console { server, tail, json } => {
            console::run(client, find(client, &server).await?.id, tail, json).await?;
        }
        ServerCommand::Send { server, line, json } => {
            let id = find(client, &server).await?.id;
            let body = nodepanel_types::api::Command { line };
            let sent: CommandSent = client.post(&format!("/api/v1/servers/{id}/command"), &body).await?;
            if json {
                output::json(&sent)?;
            }
        }
        ServerCommand::Logs { server, tail, after, install, json } => {
            logs::run(client, find(client, &server).await?.id, tail, after, install, json).await?;
        }
        ServerCommand::Install { server, json } => {
            let id = find(client, &server).await?.id;
            let view: ServerView = client.post(&format!("/api/v1/servers/{id}/install"), &()).await?;
            let view = power::wait(client, view, &[nodepanel_types::state::ServerState::Installing], true).await?;
            return power::report(&view, json);
        }
        ServerCommand::Delete { server, yes, json } => {
            let view = find(client, &server).await?;
            if !yes {
                return Err(Refusal {
                    exit: Exit::Usage,
                    message: format!(
                        "This deletes “{}” with all its files, and nothing brings them back. Repeat it with --yes.",
                        output::plain(&view.name)
                    ),
                }
                .into());
            }
            let view: ServerView = client.delete(&format!("/api/v1/servers/{}", view.id)).await?;
            if json {
                output::json(&view)?;
            } else {
                output::line(format_args!("Deleting {}.", output::plain(&view.name)))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// The server with this id or, when only one has it, this name.
async fn find(client: &Client, server: &str) -> anyhow::Result<ServerView> {
    if let Ok(id) = server.parse::<ServerId>() {
        return client.get(&format!("/api/v1/servers/{id}")).await;
    }
    let page: Page<ServerView> = client.get(&format!("/api/v1/servers?limit=1000&search={}", encode(server))).await?;
    let mut named = page.items.into_iter().filter(|view| view.name == server);
    match (named.next(), named.next()) {
        (Some(view), None) => Ok(view),
        (Some(_), Some(_)) => Err(Refusal {
            exit: Exit::Conflict,
            message: format!("Several servers are called “{}”; name one by its id.", output::plain(server)),
        }
        .into()),
        (None, _) => Err(Refusal {
            exit: Exit::NotFound,
            message: format!("There is no server called “{}” that you may see.", output::plain(server)),
        }
        .into()),
    }
}
