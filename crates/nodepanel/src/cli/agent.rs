//! `nodepanel agent join`: leaves the token where the agent looks for it.

use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

use anyhow::Context as _;
use nodepanel_backbone::enrolment::JoinToken;

use super::{arguments::AgentCommand, output};
use crate::{
    exit::{Exit, Refusal},
    local::DataDir,
};

/// The configuration of a machine that joins somebody else's control plane.
const NODE_ONLY: &str = "# This machine only runs game servers; its control plane is elsewhere.\n[api]\nservers = 0\n";

/// Joins.
pub fn run(data_dir: &DataDir, command: &AgentCommand) -> anyhow::Result<Exit> {
    let AgentCommand::Join { token, json } = command;
    let parsed: JoinToken =
        token.parse().map_err(|error| Refusal { exit: Exit::Usage, message: format!("{error}.") })?;
    data_dir.create()?;
    let path = data_dir.join_token();
    let parent = path.parent().context("the data directory has no place for the token")?;
    std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    let draft = path.with_extension("draft");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(parsed.encode().expose().as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    let addresses = parsed.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let control_plane_here = data_dir.store().exists();
    if !control_plane_here && !data_dir.config().exists() {
        std::fs::write(data_dir.config(), NODE_ONLY).context("the configuration cannot be written")?;
    }
    if *json {
        output::json(&serde_json::json!({"data_dir": data_dir.path(), "addresses": parsed.addresses}))?;
        return Ok(Exit::Done);
    }
    output::line(format_args!(
        "The token is in place. Start this machine with `nodepanel up --data-dir {}`: its agent joins {addresses} by itself \
         and appears as online on the nodes page.",
        data_dir.path().display()
    ))?;
    Ok(Exit::Done)
}
