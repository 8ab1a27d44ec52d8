//! Log lines of our own processes: one line each, to standard error, which the supervisor keeps in files.

use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Logs to standard error at `info`, or as `NODEPANEL_LOG` says (`debug`, `nodepanel_store=trace`, …).
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("NODEPANEL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(true);
    // A second call in one process changes nothing.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
