//! `nodepanel stop`: ends the control plane; with `--all` the game servers too.

use super::status::connect;
use crate::{exit::Exit, local::DataDir};

/// Stops and waits for the end.
pub async fn run(data_dir: &DataDir, all: bool) -> anyhow::Result<Exit> {
    let mut control = connect(data_dir).await?;
    control.stop(all).await?;
    println!(
        "{}",
        if all { "Stopping the game servers and the control plane…" } else { "Stopping the control plane…" }
    );
    control.ended().await;
    println!("{}", if all { "Everything has stopped." } else { "The control plane has stopped. Game servers go on." });
    Ok(Exit::Done)
}
