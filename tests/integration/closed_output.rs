//! Output that nobody reads any more ends a command quietly, as it ends other programs.

use std::{
    io::pipe,
    process::{Command, Stdio},
};

use crate::harness::{Installation, command};

/// The code by which shells report the end by SIGPIPE.
const CLOSED_PIPE: i32 = 141;

fn run_unread(mut command: Command, arguments: &[&str]) {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = command.args(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(CLOSED_PIPE), "{arguments:?}: {text}");
    assert!(text.is_empty(), "{arguments:?}: {text}");
}

#[test]
fn no_command_minds_that_its_reader_is_gone() {
    let installation = Installation::start();
    for arguments in [
        &["status"] as &[&str],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["server", "list"],
        &["server", "list", "--json"],
        &["node", "list"],
        &["user", "list"],
        &["user", "list", "--json"],
        &["completions", "bash"],
        &["openapi"],
    ] {
        run_unread(command(installation.data_dir()), arguments);
    }
}

#[test]
fn neither_standard_stream_is_needed() {
    let nowhere = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut unheard = command(nowhere.path());
    let status = unheard.arg("status").stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer).status();
    assert_eq!(status.unwrap().code(), Some(6));
}
