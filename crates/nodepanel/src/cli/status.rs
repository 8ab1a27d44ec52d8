//! `nodepanel status`: NodePanel's own processes, from the supervisor itself, so that it works while the API does not.

use nodepanel_supervise::{
    control::{Control, ControlError},
    wire::protocol::Recovery,
};
use nodepanel_types::component::ComponentState;

use super::output;
use crate::{
    exit::{Exit, Refusal},
    local::DataDir,
};

/// Automatic actions that are shown below the processes.
const LATEST: usize = 5;
/// Automatic actions that are shown when they are asked for.
const HISTORY: usize = 500;

/// Prints what NodePanel did by itself, the newest last.
pub async fn history(data_dir: &DataDir, json: bool) -> anyhow::Result<Exit> {
    let actions = connect(data_dir).await?.recoveries(HISTORY).await?;
    if json {
        output::json(&actions)?;
    } else {
        actions_table(&actions)?;
    }
    Ok(Exit::Done)
}

fn actions_table(actions: &[Recovery]) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = actions
        .iter()
        .map(|action| {
            vec![
                action.at.to_string(),
                action.component.clone(),
                action.what.clone(),
                action.took_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
                action.why.clone(),
            ]
        })
        .collect();
    output::table(&["WHEN", "WHAT", "DONE", "TOOK", "WHY"], &rows, "Nothing had to be done yet.")
}

/// Prints the processes, and for people what was done lately.
pub async fn run(data_dir: &DataDir, json: bool) -> anyhow::Result<Exit> {
    let mut control = connect(data_dir).await?;
    let components = control.status().await?;
    if json {
        output::json(&components)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = components
        .iter()
        .map(|component| {
            let dash = || "-".to_owned();
            vec![
                component.name.clone(),
                component.role.as_str().to_owned(),
                component.pid.map_or_else(dash, |pid| pid.to_string()),
                state_in_words(component.state).to_owned(),
                component.started_at.map_or_else(dash, |at| at.to_string()),
                component.restarts.to_string(),
                component.last_recovery_ms.map_or_else(|| "never seen".to_owned(), |ms| format!("{ms} ms")),
                component.last_exit.clone().unwrap_or_else(dash),
                component.detail.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let headings = ["NAME", "ROLE", "PID", "STATE", "STARTED", "RESTARTS", "RECOVERY", "LAST EXIT", ""];
    output::table(&headings, &rows, "Nothing runs.")?;
    let actions = control.recoveries(LATEST).await.unwrap_or_default();
    if !actions.is_empty() {
        output::line("\nDone automatically, the newest last (`nodepanel status --history` shows more):\n")?;
        actions_table(&actions)?;
    }
    Ok(Exit::Done)
}

/// A state as people read it.
pub const fn state_in_words(state: ComponentState) -> &'static str {
    match state {
        ComponentState::Starting => "starting",
        ComponentState::Ready => "ready",
        ComponentState::Degraded => "degraded",
        ComponentState::Draining => "draining",
        ComponentState::BackingOff => "backing off",
        ComponentState::Stopped => "stopped",
    }
}

/// The supervisor's control socket, or the reason why there is none with the right exit code.
pub async fn connect(data_dir: &DataDir) -> anyhow::Result<Control> {
    Control::connect(data_dir.path()).await.map_err(|error| {
        let exit = match &error {
            ControlError::NotRunning { .. } => Exit::Unavailable,
            ControlError::Unreachable { .. } => Exit::Denied,
            _ => Exit::Failed,
        };
        Refusal { exit, message: error.to_string() }.into()
    })
}
