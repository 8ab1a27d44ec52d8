//! `nodepanel stop`: ends the control plane; with `--all` the game servers too.

use serde_json::json;

use super::{output, status::connect};
use crate::{exit::Exit, local::DataDir};

/// Stops and waits for the end.
pub async fn run(data_dir: &DataDir, all: bool, json: bool) -> anyhow::Result<Exit> {
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
