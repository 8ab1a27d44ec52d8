//! The installation on this host: where it keeps things, how it is configured, where it listens.

mod config;
mod data_dir;
mod in_force;
mod logging;
mod notify;

pub use config::{Config, Proofs};
pub use data_dir::DataDir;
pub use in_force::{InForce, Notice};
pub use logging::log_to_stderr;
pub use notify::Notifier;
