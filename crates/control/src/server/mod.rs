//! Game servers: what is wanted of them, what they do, and their consoles.

mod change;
mod command;
mod console;
mod create;
mod delete;
mod desired;
mod figures;
mod install;
mod list;
mod ports;
mod power;
mod update;
mod view;

pub use console::{ConsoleEvent, ConsoleFrom, ConsoleSource, ConsoleStream};
pub(crate) use desired::desired;
