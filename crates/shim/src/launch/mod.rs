//! The last steps before a game: what can only be done from inside the process that is to become it.
//!
//! The shim starts its own program again as `role launch`; that process joins the control groups, limits and
//! confines itself, gives up its user, and becomes the game. No code runs between a fork and an exec, so none of
//! it needs to be safe there. What goes wrong is told to the shim over standard error, which is the shim's pipe
//! until the last moment.
//!
//! The order matters: control groups and limits need the old user; the rules for Landlock are collected while
//! every path can still be opened; the parent-death signal is cleared by a change of user and comes after it.

mod confine;
mod descriptors;
mod report;
mod steps;

use std::{
    io,
    os::{fd::OwnedFd, unix::process::CommandExt as _},
    path::Path,
    process::Command,
};

use nodepanel_types::wire::ConsoleMode;

pub(crate) use descriptors::close_inherited;
pub(crate) use report::{Report, ReportMessage};

use crate::spec::{ShimSpec, SpecError};

/// Why a game could not be started. Reported to the shim as well, which makes it the game's exit.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The order cannot be used.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A step failed.
    #[error("{what}")]
    Step {
        /// What could not be done, as the beginning of a sentence, for people.
        what: String,
        /// Why.
        source: io::Error,
    },
}

impl LaunchError {
    fn step(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Step { what: what.into(), source: source.into() }
    }

    /// The whole story on one line, for the server's owner, who is not shown the paths of the host.
    fn story(&self) -> String {
        if let Self::Spec(error) = self {
            return error.for_owner();
        }
        match std::error::Error::source(self) {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}

/// Becomes the game that is described in `spec`; returns only when that failed, which the shim knows by then.
///
/// For `role launch`, which only a shim starts: standard input and output are the game's, standard error is the
/// pipe to the shim. To be called before the process has a second thread.
pub fn launch(spec: &Path) -> LaunchError {
    close_inherited(None);
    let report = match take_report() {
        Ok(report) => report,
        Err(error) => return error,
    };
    let error = match become_game(spec, &report) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    report.send(&ReportMessage::Failed { message: error.story() });
    error
}

/// Keeps standard error as the pipe to the shim and gives the game its output there instead.
fn take_report() -> Result<Report, LaunchError> {
    let failed = |errno| LaunchError::step("The shim's pipe cannot be set up", errno);
    let pipe: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).map_err(failed)?;
    rustix::stdio::dup2_stderr(rustix::stdio::stdout()).map_err(failed)?;
    Ok(Report::new(pipe))
}

fn become_game(path: &Path, report: &Report) -> Result<std::convert::Infallible, LaunchError> {
    let spec = ShimSpec::load(path)?;
    // The game leads a session and a group of its own: what is sent to the group reaches what it starts.
    rustix::process::setsid().map_err(|errno| LaunchError::step("No session of its own can be had", errno))?;
    if spec.console == ConsoleMode::Pty {
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())
            .map_err(|errno| LaunchError::step("The terminal cannot be taken", errno))?;
    }
    steps::join_cgroups(&spec.cgroups)?;
    steps::limit(&spec)?;
    let rules = confine::Rules::collect(&spec)?;
    steps::change_user(spec.user)?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|errno| LaunchError::step("The game cannot be tied to its shim", errno))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|errno| LaunchError::step("New privileges cannot be ruled out", errno))?;
    rustix::process::chdir(&spec.dir)
        .map_err(|errno| LaunchError::step("The server's own directory cannot be entered by its user", errno))?;
    let notes = rules.enforce()?;
    steps::make_temporary_directory(&spec.dir)?;
    // Also proves that the shim was still there when the parent-death signal had been set.
    if !report.send(&ReportMessage::Ready { notes }) {
        return Err(LaunchError::step("The shim is gone", io::ErrorKind::BrokenPipe));
    }
    let Some((program, arguments)) = spec.command.split_first() else {
        return Err(LaunchError::step("There is no program", io::ErrorKind::InvalidInput));
    };
    let source = Command::new(program).args(arguments).env_clear().envs(steps::environment(&spec)).exec();
    Err(LaunchError::step(format!("The program `{program}` cannot be run"), source))
}
