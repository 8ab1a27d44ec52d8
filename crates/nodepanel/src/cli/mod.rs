//! The command line, for people and scripts. Everything that concerns game servers goes over the API, like the panel;
//! what concerns this host's own processes goes over the supervisor's control socket.

pub mod client;

mod agent;
mod arguments;
mod doctor;
mod drill;
mod endpoint;
mod install;
mod node;
pub mod output;
mod proofs;
mod server;
mod status;
mod stop;
mod token;
mod upgrade;
mod user;

use std::process::ExitCode;

pub use arguments::CommandLine;
use arguments::{Command, RoleCommand};
use clap::CommandFactory as _;
use client::Client;
use nodepanel_control::{MasterKey, setup_token};

use crate::{
    exit::{Exit, Refusal},
    local::{Config, DataDir, InForce, Notice},
    role,
    system::SystemIds,
};

/// Runs a command line and says how it ended.
pub fn run(line: CommandLine) -> ExitCode {
    match dispatch(line) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = error.downcast_ref::<Refusal>().map_or(Exit::Failed, |refusal| refusal.exit);
            if exit == Exit::ClosedPipe {
                return exit.into();
            }
            let mut message = error.to_string();
            for cause in error.chain().skip(1) {
                message.truncate(message.trim_end_matches('.').len());
                message.push_str(": ");
                message.push_str(&cause.to_string());
            }
            output::note(format_args!("nodepanel: {message}"));
            exit.into()
        }
    }
}

fn dispatch(line: CommandLine) -> anyhow::Result<Exit> {
    let data_dir = DataDir::named(&line.data_dir.unwrap_or_else(DataDir::usual))?;
    // What only prints needs no configuration, and must work where there is none.
    match &line.command {
        Command::Completions { shell } => {
            // Written by ourselves: `generate` panics when nobody reads it.
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut CommandLine::command(), "nodepanel", &mut script);
            output::bytes(&script)?;
            return Ok(Exit::Done);
        }
        Command::Openapi => {
            output::line(format_args!("{}", nodepanel_api::document().to_pretty_json()?))?;
            return Ok(Exit::Done);
        }
        Command::Role { role: RoleCommand::Shim { spec } } => {
            role::shim::run(spec, &[])?;
            return Ok(Exit::Done);
        }
        _ => {}
    }
    let (mut config, in_force) = match (&line.command, InForce::find(&data_dir)) {
        (Command::Role { role: RoleCommand::Check }, _) => (InForce::to_check(&data_dir)?, None),
        (Command::Role { .. }, _) => (InForce::of_worker(&data_dir)?, None),
        // What explains must work where nothing else does.
        (Command::Doctor { json }, Err(error)) => return doctor::of_configuration(&error.to_string(), *json),
        (_, found) => {
            let found = found?;
            (found.config.clone(), Some(found))
        }
    };
    if let Some(listen) = line.listen {
        config.http.listen = listen;
    }
    match line.command {
        Command::Up { stop_servers } => {
            if let Some(notice) = in_force.and_then(|found| found.notice) {
                output::note(format_args!("Note: {}", output::plain(notice.text())));
            }
            crate::up::run(&data_dir, &config, stop_servers)?;
        }
        Command::Install(arguments) => return install::run(&data_dir, line.listen, &arguments),
        Command::Supervise => role::supervise::run(&data_dir, line.listen)?,
        Command::Role { role } => match role {
            RoleCommand::Api => role::api::run(&data_dir, &config)?,
            RoleCommand::Status => role::status::run()?,
            RoleCommand::Agent => role::agent::run(&data_dir)?,
            // The configuration was read and found right, or this would not be reached.
            RoleCommand::Check => output::json(&upgrade::About::own())?,
            RoleCommand::Shim { .. } | RoleCommand::Launch { .. } => {}
        },
        other => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let notice = in_force.and_then(|found| found.notice);
            return runtime.block_on(ask(other, &data_dir, &config, notice, line.remote));
        }
    }
    Ok(Exit::Done)
}

async fn ask(
    command: Command,
    data_dir: &DataDir,
    config: &Config,
    notice: Option<Notice>,
    remote: arguments::Remote,
) -> anyhow::Result<Exit> {
    match command {
        Command::Status { history: true, json } => status::history(data_dir, json).await,
        Command::Status { history: false, json } => status::run(data_dir, config, json).await,
        Command::Stop { all, json } => stop::run(data_dir, all, json).await,
        Command::Doctor { json } => doctor::run(data_dir, config, notice.as_ref(), json).await,
        Command::Agent { command } => agent::run(data_dir, &command),
        Command::Drill(arguments) => drill::run(data_dir, config, arguments).await,
        Command::Proofs { command } => proofs::run(data_dir, command).await,
        Command::Upgrade { binary, no_wait, json } => upgrade::run(data_dir, config, &binary, no_wait, json).await,
        Command::SetupLink { json } => {
            let master = MasterKey::load_or_create(data_dir.path(), &SystemIds)?;
            let client = Client::to_host(data_dir, config, &master);
            if client.needs_setup().await? {
                let link = format!("{}/setup#token={}", client.url(), setup_token(&master));
                if json {
                    output::json(&serde_json::json!({"url": link}))?;
                } else {
                    output::line(link)?;
                }
                return Ok(Exit::Done);
            }
            anyhow::bail!(Refusal {
                exit: Exit::Conflict,
                message: "The first administrator exists already; sign in instead.".to_owned(),
            })
        }
        Command::Server { command } => server::run(&Client::named(data_dir, config, remote)?, command).await,
        Command::Node { command } => node::run(&Client::named(data_dir, config, remote)?, command).await,
        Command::User { command } => user::run(&Client::named(data_dir, config, remote)?, command).await,
        Command::Token { command } => token::run(&Client::named(data_dir, config, remote)?, command).await,
        Command::Up { .. }
        | Command::Install(_)
        | Command::Supervise
        | Command::Role { .. }
        | Command::Completions { .. }
        | Command::Openapi => Ok(Exit::Done),
    }
}
