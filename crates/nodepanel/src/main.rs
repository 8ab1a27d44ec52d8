//! The one binary: every role of NodePanel, and its command line.
//!
//! ```text
//!  nodepanel up ── keeps ──► nodepanel supervise ── starts ──► nodepanel role api | status | agent
//!                                                              nodepanel role shim ──► nodepanel role launch ──► game
//!  nodepanel server | node | user | token | status | doctor …    the command line, over the API or the control socket
//! ```

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod exit;
mod local;
mod role;
mod system;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // What becomes a game must do as little as possible before it does, and so must what keeps one: no parser, no log.
    if let Some(code) = role::launch::if_asked().or_else(role::shim::if_asked) {
        return code;
    }
    cli::run(cli::CommandLine::parse())
}
