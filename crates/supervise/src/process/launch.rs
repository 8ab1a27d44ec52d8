//! How a process is started: its program, environment, standard streams and the listening sockets it inherits.
//!
//! Every process that is started here leads a process group of its own (a Ctrl-C in the terminal does not reach
//! it, and it can be signalled with everything it started), has no parent-death signal, and inherits of our own
//! descriptors nothing but what is named here.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use command_fds::{CommandFdExt, FdMapping};

use super::{Process, ProcessError, succession::SUCCESSION};
use crate::sockets::PREDECESSOR;

/// The first descriptor of the sockets that are handed to a process (systemd's `SD_LISTEN_FDS_START`).
const FIRST_SOCKET: RawFd = 3;

/// A process that is about to be started. Standard streams are `/dev/null` unless they are given.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    command: Command,
    sockets: Vec<(String, OwnedFd)>,
}

impl Launch {
    /// A process that will run `program` with the environment of the caller, without the variables that describe
    /// inherited sockets.
    pub fn new(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref().to_owned();
        let mut command = Command::new(&program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        // What the caller was given says nothing about the descriptors of the new process, and systemd hears one of us.
        let systemd = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];
        let own = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", PREDECESSOR, SUCCESSION];
        for variable in own.into_iter().chain(systemd) {
            command.env_remove(variable);
        }
        Self { program, command, sockets: Vec::new() }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Forgets the caller's environment: only what is set afterwards reaches the process.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Adds or replaces environment variables.
    #[must_use]
    pub fn envs<K: Into<OsString>, V: Into<OsString>>(mut self, vars: impl IntoIterator<Item = (K, V)>) -> Self {
        self.command.envs(vars.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Where the process reads its standard input from.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Where the process writes its standard output.
    #[must_use]
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// Where the process writes its errors and its log.
    #[must_use]
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Hands a socket to the process under a name. Sockets arrive in the order of these calls, from descriptor 3
    /// on, described by `LISTEN_FDS` and `LISTEN_FDNAMES` as systemd does it, but without `LISTEN_PID`, which
    /// nobody knows before the process exists.
    #[must_use]
    pub fn socket(mut self, name: impl Into<String>, socket: impl Into<OwnedFd>) -> Self {
        self.sockets.push((name.into(), socket.into()));
        self
    }

    /// Starts it.
    ///
    /// Blocks for the fork and the exec, about half a millisecond.
    pub fn start(mut self) -> Result<Process, ProcessError> {
        let failed = |program: &Path, source| ProcessError::Start { program: program.to_owned(), source };
        if !self.sockets.is_empty() {
            let names: Vec<&str> = self.sockets.iter().map(|(name, _)| name.as_str()).collect();
            self.command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
            let mappings = self
                .sockets
                .into_iter()
                .zip(FIRST_SOCKET..)
                .map(|((_, parent_fd), child_fd)| FdMapping { parent_fd, child_fd })
                .collect();
            self.command.fd_mappings(mappings).map_err(|error| failed(&self.program, io::Error::other(error)))?;
        }
        let child = self.command.spawn().map_err(|source| failed(&self.program, source))?;
        // The pid is ours until we reap it, and nobody has: a child that is already dead still opens.
        let pid = child.id();
        Process::open(pid)?.ok_or_else(|| ProcessError::Watch { pid, source: io::ErrorKind::NotFound.into() })
    }
}

/// Becomes another program, with the same process id, standard streams, children and environment, and with these sockets
/// (described as `Launch` does it). Comes back only with the reason why it could not.
pub fn become_program(program: &Path, args: &[OsString], sockets: &[(String, OwnedFd)]) -> ProcessError {
    let failed = |source| ProcessError::Start { program: program.to_owned(), source };
    let mut command = Command::new(program);
    command.args(args);
    for variable in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", PREDECESSOR] {
        command.env_remove(variable);
    }
    if !sockets.is_empty() {
        let names: Vec<&str> = sockets.iter().map(|(name, _)| name.as_str()).collect();
        command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        let mut mappings = Vec::new();
        for ((_, socket), child_fd) in sockets.iter().zip(FIRST_SOCKET..) {
            match socket.try_clone() {
                Ok(parent_fd) => mappings.push(FdMapping { parent_fd, child_fd }),
                Err(error) => return failed(error),
            }
        }
        if let Err(error) = command.fd_mappings(mappings) {
            return failed(io::Error::other(error));
        }
    }
    failed(command.exec())
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn sockets_arrive_named_and_in_order_and_no_other_socket_of_ours_does() {
        let (mut reader, writer) = io::pipe().unwrap();
        let inode = |socket: &TcpListener| format!("socket:[{}]", rustix::fs::fstat(socket).unwrap().st_ino);
        let http = TcpListener::bind("127.0.0.1:0").unwrap();
        let kept = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = TcpListener::bind("127.0.0.1:0").unwrap();
        let (http_inode, kept_inode, link_inode) = (inode(&http), inode(&kept), inode(&link));
        let script =
            "echo $LISTEN_FDS $LISTEN_FDNAMES; for fd in /proc/$$/fd/*; do echo ${fd##*/} $(readlink $fd); done";
        let child = Launch::new("/bin/sh")
            .args(["-c", script])
            .stdout(OwnedFd::from(writer))
            .socket("http", http)
            .socket("link", link)
            .start()
            .unwrap();
        assert!(child.ended().await.unwrap().is_success());
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("2 http:link\n"), "{text}");
        assert!(text.contains(&format!("\n3 {http_inode}\n")), "{text}");
        assert!(text.contains(&format!("\n4 {link_inode}\n")), "{text}");
        assert!(!text.contains(&kept_inode), "{text}");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Launch::new("/nonexistent/program").start().unwrap_err();
        assert_eq!(error.to_string(), "cannot start /nonexistent/program");
    }
}
