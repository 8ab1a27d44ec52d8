//! `nodepanel server logs`: console lines, and back.

use nodepanel_types::{
    ServerId,
    wire::{ConsoleFrame, LineKind},
};
use serde::Deserialize;

use super::super::{client::Client, output};

#[derive(Deserialize)]
struct Lines {
    frames: Vec<ConsoleFrame>,
}

/// Prints lines that there are.
pub async fn run(
    client: &Client,
    id: ServerId,
    tail: u32,
    after: Option<u64>,
    install: bool,
    json: bool,
) -> anyhow::Result<()> {
    let place = if install { "install/log" } else { "console/lines" };
    let from = after.map_or_else(|| format!("tail={tail}"), |after| format!("after={after}"));
    let lines: Lines = client.get(&format!("/api/v1/servers/{id}/{place}?{from}")).await?;
    for frame in &lines.frames {
        print(frame, json)?;
    }
    Ok(())
}

/// Prints one frame: as on the wire, or for people.
pub fn print(frame: &ConsoleFrame, json: bool) -> anyhow::Result<()> {
    if json {
        output::line(format_args!("{}", serde_json::to_string(frame)?))?;
        return Ok(());
    }
    match frame {
        // Lines hold colours and nothing else that a terminal acts on; the shim sees to that.
        ConsoleFrame::Line(line) => match line.k {
            LineKind::Out => output::line(format_args!("{}\u{1b}[0m", line.s))?,
            LineKind::In => output::line(format_args!("> {}", line.s))?,
            LineKind::Sys => output::line(format_args!("[NodePanel] {}", line.s))?,
        },
        ConsoleFrame::Gap { gap } => {
            output::line(format_args!("[NodePanel] lines {} to {} are missing here", gap.from, gap.to))?;
        }
        ConsoleFrame::At { .. } => {}
    }
    Ok(())
}
