//! Starting the game.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::unix::pipe,
    time::timeout,
};

use crate::launch::ReportMessage;

/// How long the last steps before a game may take: they are a few system calls, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the process that will become the game; returns its id and where it reports.
///
/// It is our own program, also when its file has been replaced by a newer build since.
pub(super) fn spawn(spec: &Path, stdin: OwnedFd, stdout: OwnedFd) -> io::Result<(u32, pipe::Receiver)> {
    let (report, told) = io::pipe()?;
    // Not waited for here: `life` collects every child of this process, whoever started it.
    let child = Command::new("/proc/self/exe")
        .args(["role", "launch", "--spec"])
        .arg(spec)
        .env_clear()
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(told))
        .spawn()?;
    Ok((child.id(), pipe::Receiver::from_owned_fd(report.into())?))
}

/// Puts the process that will become the game into its control groups while it is still being loaded.
///
/// The first move of a process after a while waits for some milliseconds in the kernel. The process moves itself as
/// well, before it does anything else, and is the one to say so when that fails; but it need not wait by then.
pub(super) fn begin_to_join(cgroups: &[PathBuf], pid: u32) {
    for group in cgroups {
        let _ = fs::write(group.join("cgroup.procs"), pid.to_string());
    }
}

/// Waits for the game's own program to run: with notes on what is weaker than it could be, or why it does not.
pub(super) async fn reported(report: pipe::Receiver) -> Result<Vec<String>, String> {
    let mut lines = BufReader::with_capacity(4096, report).lines();
    let read = async {
        let mut outcome = Err("It ended before it could become the game's program".to_owned());
        while let Ok(Some(line)) = lines.next_line().await {
            outcome = match serde_json::from_str(&line) {
                Ok(ReportMessage::Ready { notes }) => Ok(notes),
                Ok(ReportMessage::Failed { message }) => Err(message),
                // Not ours: the words of a panic, for example.
                Err(_) => Err(line),
            };
        }
        outcome
    };
    let late = || Err(format!("It was not ready to run within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, read).await.unwrap_or_else(|_| late())
}
