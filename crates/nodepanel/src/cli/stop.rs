//! `nodepanel stop`: ends the control plane; with `--all` the game servers too, also those that a control plane which
//! has ended before left running.

use std::sync::Arc;

use anyhow::Context as _;
use nodepanel_agent::{Agent, AgentConfig};
use nodepanel_supervise::control::{Control, ControlError};
use serde_json::json;

use super::{output, status::connect};
use crate::{
    exit::{Exit, Refusal},
    local::DataDir,
    role::agent::STOP_SERVERS,
    system::{SystemClock, SystemIds},
};

/// Stops and waits for the end.
pub async fn run(data_dir: &DataDir, all: bool, json: bool) -> anyhow::Result<Exit> {
    if all
        && data_dir.agent_database().exists()
        && let Err(ControlError::NotRunning { .. }) = Control::connect(data_dir.path()).await
    {
        return left_behind(data_dir, json).await;
    }
    let mut control = connect(data_dir).await?;
    control.stop(all).await?;
    output::note(if all {
        "Stopping the game servers and the control plane…"
    } else {
        "Stopping the control plane…"
    });
    control.ended().await;
    if json {
        output::json(&json!({"stopped": true, "servers": all}))?;
    } else if all {
        output::line("Everything has stopped.")?;
    } else {
        output::line("The control plane has stopped. Game servers go on.")?;
    }
    Ok(Exit::Done)
}

/// Stops the game servers that run without a control plane, by an agent that does nothing else.
async fn left_behind(data_dir: &DataDir, json: bool) -> anyhow::Result<Exit> {
    output::note("The control plane does not run. Stopping the game servers that it left running…");
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    let mut config = AgentConfig::new(data_dir.path().to_owned(), program, env!("CARGO_PKG_VERSION").to_owned());
    config.suspended = true;
    let agent = Agent::start(config, Arc::new(SystemClock), Arc::new(SystemIds))
        .await
        .context("The game servers cannot be taken up; run this as the user who started NodePanel, or as root")?;
    let left = agent.stop_servers(STOP_SERVERS).await;
    agent.close().await;
    if left > 0 {
        let seconds = STOP_SERVERS.as_secs();
        anyhow::bail!(Refusal {
            exit: Exit::Failed,
            message: format!(
                "{left} game servers did not stop within {seconds} s. Try again; `nodepanel up` shows them."
            ),
        });
    }
    if json {
        output::json(&json!({"stopped": true, "servers": true}))?;
    } else {
        output::line("Everything has stopped. What should run is started again by the next `nodepanel up`.")?;
    }
    Ok(Exit::Done)
}
