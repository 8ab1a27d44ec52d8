//! `nodepanel status`: NodePanel's own processes, from the supervisor itself, so that it works while the API does not.

use nodepanel_supervise::{
    control::{Control, ControlError},
    wire::protocol::Recovery,
};
use nodepanel_types::{
    Millis, Timestamp,
    clock::Clock as _,
    component::{AtBoot, Component, ComponentState, Restarter, doubted},
};

use super::output;
use crate::{
    exit::{Exit, Refusal},
    local::{Config, DataDir},
    system::SystemClock,
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

/// Prints the processes with who starts each again, and for people what was done lately.
pub async fn run(data_dir: &DataDir, config: &Config, json: bool) -> anyhow::Result<Exit> {
    let mut control = connect(data_dir).await?;
    let now = SystemClock.now();
    let components = doubted(control.status().await?, now, config.proofs.max_age());
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
    supervision_table(&components, now)?;
    if let Some(renewal) = control.renewal().await? {
        output::line(format_args!("\n{}", output::plain(&renewal.sentence())))?;
    }
    let actions = control.recoveries(LATEST).await.unwrap_or_default();
    if !actions.is_empty() {
        output::line("\nDone automatically, the newest last (`nodepanel status --history` shows more):\n")?;
        actions_table(&actions)?;
    }
    Ok(Exit::Done)
}

/// Who starts each again, whether it is there after a boot, and when it was last seen to come back.
fn supervision_table(components: &[Component], now: Timestamp) -> anyhow::Result<()> {
    let known = components.iter().filter(|component| component.supervision.restarted_by.is_some());
    let rows: Vec<Vec<String>> = known
        .map(|Component { name, supervision, .. }| {
            let mut row = vec![
                name.clone(),
                supervision.restarted_by.map_or("-", Restarter::as_str).to_owned(),
                at_boot_in_words(supervision.at_boot.as_ref()).to_owned(),
            ];
            row.extend(supervision.proof.as_ref().map_or_else(
                || ["never seen", "-", "-", "-"].map(str::to_owned),
                |proof| {
                    [
                        format!("{} ago", age_in_words(now.since(proof.at))),
                        proof.took_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
                        proof.occasion.as_str().to_owned(),
                        proof.observed_by.as_str().to_owned(),
                    ]
                },
            ));
            row
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    output::line("\nWho starts each again when it ends, and when that was last seen to work:\n")?;
    output::table(&["NAME", "STARTED BY", "AT BOOT", "CAME BACK", "TOOK", "AFTER A", "SEEN BY"], &rows, "")?;
    let doubts: Vec<&String> = components.iter().flat_map(|component| &component.supervision.doubts).collect();
    if !doubts.is_empty() {
        output::line("\nWhat is not certain:\n")?;
    }
    for doubt in doubts {
        output::line(format_args!("  {}", output::plain(doubt)))?;
    }
    Ok(())
}

const fn at_boot_in_words(at_boot: Option<&AtBoot>) -> &'static str {
    match at_boot {
        Some(AtBoot::Enabled { .. }) => "yes",
        Some(AtBoot::Disabled { .. }) => "no: disabled",
        Some(AtBoot::ByHand) => "no: by hand",
        Some(AtBoot::Unknown { .. }) | None => "not known",
    }
}

/// Milliseconds as people say an age: its largest unit alone.
fn age_in_words(age: Millis) -> String {
    let seconds = age / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_its_largest_unit() {
        assert_eq!(age_in_words(119_999), "119 s");
        assert_eq!(age_in_words(120_000), "2 min");
        assert_eq!(age_in_words(7_200_000), "2 h");
        assert_eq!(age_in_words(8 * 86_400_000), "8 days");
    }
}
