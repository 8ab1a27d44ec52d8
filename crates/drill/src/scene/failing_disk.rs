//! A disk that cannot keep what is written, for the processes of a scratch installation that are named: strace stands
//! between them and the kernel and answers each of their syncs with an error, without making it. Nothing else of them is
//! touched, and whatever becomes of strace, they go on: the kernel lets go of whom an ended tracer held.
//!
//! What is not tried: that the kernel forgets the pages that it could not write, as it does when a real disk fails.
//! That is for the store's own tests, on a file system that loses them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use nodepanel_supervise::process::{Process, Signal};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{PATIENCE, Part, ground::lacks, scratch::at};
use crate::error::DrillError;

/// What asks the disk to keep something.
const SYNCS: &str = "fsync,fdatasync,sync_file_range,msync,sync,syncfs";
/// How strace notes a call that it answered itself.
const INJECTED: &str = "(INJECTED)";

/// The disk, while it works.
#[derive(Debug)]
pub struct FailingDisk {
    directory: PathBuf,
}

impl FailingDisk {
    /// Why there can be none.
    pub(super) fn obstacle() -> Option<String> {
        let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
        let scope: u8 = scope.ok().and_then(|scope| scope.trim().parse().ok()).unwrap_or_default();
        let root = rustix::process::geteuid().is_root();
        let refused = match scope {
            0 => None,
            1 | 2 if root => None,
            1 | 2 => Some("it needs root, for strace to attach to processes (kernel.yama.ptrace_scope)".to_owned()),
            _ => Some("nobody may attach to processes here (kernel.yama.ptrace_scope)".to_owned()),
        };
        lacks("strace", "strace").or(refused)
    }

    /// One whose account of what failed is kept in `directory`.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// From now on, until the failure is ended, every sync of these processes fails.
    pub async fn fail(&self, parts: &[&Part]) -> Result<Failure, DrillError> {
        let account = self.directory.join("syncs");
        let mut command = Command::new("strace");
        command.arg("-f").arg("-o").arg(&account).arg("-e").arg(format!("trace={SYNCS}"));
        command.arg("-e").arg(format!("inject={SYNCS}:error=EIO"));
        for part in parts {
            command.arg("-p").arg(part.pid().to_string());
        }
        // A Ctrl-C for this program must not end it before it was asked to let go.
        command.process_group(0).kill_on_drop(true);
        let mut strace =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(at("strace"))?;
        let said = strace.stderr.take().map(BufReader::new);
        let Some(said) = said else { return Err(at("strace")(io::ErrorKind::BrokenPipe.into())) };
        let (mut said, mut words, mut held) = (said.lines(), Vec::new(), 0);
        // It names each process that it holds.
        let attaching = timeout(PATIENCE, async {
            while held < parts.len()
                && let Ok(Some(line)) = said.next_line().await
            {
                held += usize::from(line.contains(" attached"));
                words.push(line);
            }
        });
        if attaching.await.is_err() || held < parts.len() {
            let reason = format!("strace cannot attach to the processes ({})", words.join("; "));
            return Err(DrillError::Impossible { reason });
        }
        // What it says of threads that come and go is of no interest, and must be read all the same.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Ok(Failure { strace, account })
    }
}

/// Syncs that fail.
#[derive(Debug)]
pub struct Failure {
    strace: Child,
    account: PathBuf,
}

impl Failure {
    /// Ends it: returns when the processes are let go. The number of syncs that failed.
    pub async fn end(mut self) -> Result<usize, DrillError> {
        if let Some(pid) = self.strace.id()
            && let Some(process) = Process::open(pid)?
        {
            // It ends itself, when the processes that it held have been killed.
            let _ = process.signal(Signal::TERM);
        }
        match timeout(PATIENCE, self.strace.wait()).await {
            Ok(ended) => ended.map_err(at("strace"))?,
            Err(_) => return Err(DrillError::Late { what: "strace to let go".to_owned(), waited: PATIENCE }),
        };
        let account = fs::read_to_string(&self.account).map_err(at(&self.account))?;
        Ok(account.matches(INJECTED).count())
    }
}
