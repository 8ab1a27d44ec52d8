//! The worker's side: what a role does to be supervised, and to go on when nobody supervises it.
//!
//! ```no_run
//! # use nodepanel_supervise::{sockets::Inherited, worker::{About, Worker}};
//! # async fn role(worker_id: nodepanel_types::WorkerId) -> Result<(), Box<dyn std::error::Error>> {
//! let inherited = Inherited::from_env();
//! let about = About { name: "api-1".into(), worker_id, version: "0.1.0".into() };
//! let worker = Worker::from_env(about, &inherited.sockets)?;
//! let http = inherited.sockets.get("http");
//! // ... prepare ...
//! worker.ready();
//! worker.drain_asked().await;
//! // ... finish what is there, then return ...
//! # Ok(())
//! # }
//! ```

mod client;
mod handle;

pub use handle::{About, AskError, Worker};

/// The variable that tells a worker its name in the plan.
pub const WORKER_NAME: &str = "NODEPANEL_WORKER";
/// The variable that tells a worker the absolute path of the run directory, where its supervisor listens.
pub const RUN_DIR: &str = "NODEPANEL_RUN_DIR";
