//! `role launch`: the moment between a shim and its game. Joins control groups, gives up rights, becomes the game.

use std::process::ExitCode;

/// Runs the launcher when the command line asks for it: `nodepanel role launch --spec PATH`. Only comes back to say
/// that it could not.
pub fn if_asked() -> Option<ExitCode> {
    let spec = super::spec_for("launch")?;
    let error = nodepanel_shim::launch(&spec);
    crate::cli::output::note(format_args!("The game could not be started: {error}."));
    Some(ExitCode::from(126))
}
