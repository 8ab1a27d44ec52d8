//! Processes on one host: starting them, watching them, replacing them, and keeping the listening sockets while
//! they are replaced.
//!
//! Does not know what the processes do. Three things hold everywhere in it: a process is named by its identity and
//! never by its bare pid; nothing here dies because something else died; no decision to restart is ever final.
//!
//! Decisions are pure (`policy`, `ceiling`, `lifecycle`); `supervisor` carries them out; `worker` is the other side of
//! its control socket; `control` is the command line's; `keeper` stands in for init in a shell; `process` is all that
//! the others of this workspace need to keep processes of their own.

pub mod announced;
pub mod build;
pub mod ceiling;
pub mod configuration;
pub mod control;
pub mod keeper;
pub mod lifecycle;
pub mod lock;
pub mod plan;
pub mod policy;
pub mod process;
pub mod record;
pub mod recoveries;
pub mod renewal;
pub mod run_dir;
pub mod service;
pub mod sockets;
pub mod supervisor;
pub mod whole_file;
pub mod wire;
pub mod worker;
mod worker_log;
