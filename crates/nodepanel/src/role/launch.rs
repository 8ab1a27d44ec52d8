//! `role launch`: the moment between a shim and its game. Joins control groups, gives up rights, becomes the game.

use std::{ffi::OsStr, path::Path, process::ExitCode};

/// Runs the launcher when the command line asks for it: `nodepanel role launch --spec PATH`. Only comes back to say
/// that it could not.
pub fn if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().as_deref() == Some(OsStr::new("role"))
        && arguments.next().as_deref() == Some(OsStr::new("launch"))
        && arguments.next().as_deref() == Some(OsStr::new("--spec"));
    if !asked {
        return None;
    }
    let spec = arguments.next()?;
    let error = nodepanel_shim::launch(Path::new(&spec));
    crate::cli::output::note(format_args!("The game could not be started: {error}."));
    Some(ExitCode::from(126))
}
