//! What the game gets as its standard streams, and our ends of them.

use std::{io, os::fd::OwnedFd};

use nodepanel_types::wire::ConsoleMode;
use rustix::{
    fs::{Gid, OFlags, Uid, fchown, fcntl_getfl, fcntl_setfl},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};
use tokio::net::unix::pipe;

use crate::spec::UserIds;

/// The width that templates are promised.
const COLUMNS: u16 = 200;
const ROWS: u16 = 50;

/// Both ends of the game's standard streams.
pub(super) struct Terminal {
    /// The game's standard input.
    pub(super) stdin: OwnedFd,
    /// The game's standard output and error.
    pub(super) stdout: OwnedFd,
    /// What is typed.
    pub(super) typed: pipe::Sender,
    /// What it writes.
    pub(super) written: pipe::Receiver,
}

impl Terminal {
    pub(super) fn open(mode: ConsoleMode, user: Option<UserIds>) -> io::Result<Self> {
        match mode {
            ConsoleMode::Pipe => Self::pipes(),
            ConsoleMode::Pty => Self::pty(user),
        }
    }

    fn pipes() -> io::Result<Self> {
        let (stdin, typed) = io::pipe()?;
        let (written, stdout) = io::pipe()?;
        Ok(Self {
            stdin: stdin.into(),
            stdout: stdout.into(),
            typed: pipe::Sender::from_owned_fd(typed.into())?,
            written: pipe::Receiver::from_owned_fd(written.into())?,
        })
    }

    fn pty(user: Option<UserIds>) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        if let Some(UserIds { uid, gid }) = user {
            fchown(&slave, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        let mut modes = tcgetattr(&slave)?;
        // The console shows what was typed as a line of its own, and needs no carriage returns.
        modes.local_modes.remove(LocalModes::ECHO);
        modes.output_modes.remove(OutputModes::ONLCR);
        tcsetattr(&slave, OptionalActions::Now, &modes)?;
        tcsetwinsize(&slave, Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 })?;
        let flags = fcntl_getfl(&master)?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;
        let stdin = slave.try_clone()?;
        // A terminal is polled, read and written like a pipe; only the check that it is one is left out.
        Ok(Self {
            stdin,
            stdout: slave,
            typed: pipe::Sender::from_owned_fd_unchecked(master.try_clone()?)?,
            written: pipe::Receiver::from_owned_fd_unchecked(master)?,
        })
    }
}
