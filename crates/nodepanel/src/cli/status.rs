//! `nodepanel status`: NodePanel's own processes, from the supervisor itself, so that it works while the API does not.

use nodepanel_supervise::control::{Control, ControlError};
use nodepanel_types::component::ComponentState;

use super::output;
use crate::{
    exit::{Exit, Refusal},
    local::DataDir,
};

/// Prints the processes.
pub async fn run(data_dir: &DataDir, json: bool) -> anyhow::Result<Exit> {
    let components = connect(data_dir).await?.status().await?;
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
