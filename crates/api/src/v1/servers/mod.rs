//! `/servers`

mod activity;
mod command;
mod console;
mod console_lines;
mod console_query;
mod create;
mod delete;
mod get;
mod install;
mod install_log;
mod list;
mod power;
mod stats;
mod update;

pub use activity::*;
pub use command::*;
pub use console::*;
pub use console_lines::*;
pub use create::*;
pub use delete::*;
pub use get::*;
pub use install::*;
pub use install_log::*;
pub use list::*;
pub use power::*;
pub use stats::*;
pub use update::*;
