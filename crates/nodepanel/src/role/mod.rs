//! The roles: what each of our processes is made of.

pub mod agent;
pub mod api;
pub mod launch;
pub mod shim;
pub mod status;
pub mod supervise;

mod panel_files;
mod platform;

use std::{ffi::OsString, path::PathBuf};

/// The order that the command line names, when it is `nodepanel role ROLE --spec PATH` and nothing more.
fn spec_for(role: &str) -> Option<PathBuf> {
    spec_and_mode_for(role).filter(|(_, mode)| mode.is_empty()).map(|(spec, _)| spec)
}

/// The same with what follows.
fn spec_and_mode_for(role: &str) -> Option<(PathBuf, Vec<OsString>)> {
    let mut arguments = std::env::args_os().skip(1);
    for expected in ["role", role, "--spec"] {
        if arguments.next()? != expected {
            return None;
        }
    }
    let spec = arguments.next()?;
    Some((PathBuf::from(spec), arguments.collect()))
}

/// Returns at SIGTERM or Ctrl-C, for what was started by hand.
pub async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
