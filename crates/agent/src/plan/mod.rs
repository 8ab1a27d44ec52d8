//! What to do next for one server: pure functions of the wish, of what was carried out and of what is so.
//!
//! [`next`] decides, the functions in [`transition`] change the durable [`Progress`], [`phase`] puts it into the words
//! of the API. None of them does anything or reads a clock; the server's task executes and makes no choices.

mod next;
mod observe;
mod phase;
mod progress;
mod step;
mod transition;

#[cfg(test)]
mod proptests;

pub use next::{Step, next};
pub use observe::{Installing, Process, View, Wanted};
pub use phase::phase;
pub use progress::{InstallJob, InstallResult, Progress, RunRecord, StopSent};
pub use step::{clock_set, clock_set_by, moved};
pub use transition::{
    Accounted, CANCELLED, End, Note, accept_install, account, begin, install_begun, install_finished, kill_sent,
    removal_begun, removed, start_begun, stop_sent,
};
