//! The processes of an installation, found from outside in `/proc`: also those that its supervisor does not know, and
//! while there is no supervisor to be asked.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use nodepanel_types::ServerId;

/// Every process that was started for `data_dir` or works below it; parents before their children.
pub fn of(data_dir: &Path) -> Vec<u32> {
    let mut found: Vec<(u8, u32)> =
        all().filter_map(|process| Some((process.height(data_dir)?, process.pid))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, pid)| pid).collect()
}

/// The game of a server: the process that works in its directory and is not one of our roles on its way to become it.
pub fn game(data_dir: &Path, server: ServerId) -> Option<u32> {
    let files = data_dir.join("agent/servers").join(server.to_string()).join("files");
    // Where the servers are kept elsewhere, the path leads there.
    let files = fs::canonicalize(&files).unwrap_or(files);
    let is_role = |process: &Found| process.command.split(|byte| *byte == 0).nth(1) == Some(b"role");
    let is_game = |process: &Found| process.cwd.as_deref() == Some(&*files) && !is_role(process);
    all().filter(is_game).map(|process| process.pid).min()
}

struct Found {
    pid: u32,
    command: Vec<u8>,
    cwd: Option<PathBuf>,
}

fn all() -> impl Iterator<Item = Found> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Found::read(entry.file_name().to_str()?.parse().ok()?))
}

impl Found {
    /// `None` for one that has ended and only waits for its parent.
    fn read(pid: u32) -> Option<Self> {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        let command = fs::read(directory.join("cmdline")).ok().filter(|command| !command.is_empty())?;
        Some(Self { pid, command, cwd: fs::read_link(directory.join("cwd")).ok() })
    }

    /// How far it is below the top of the installation; `None` when it is none of it.
    fn height(&self, data_dir: &Path) -> Option<u8> {
        let path = data_dir.as_os_str().as_bytes();
        let mut words = self.command.split(|byte| *byte == 0);
        let named = words.any(|word| word.starts_with(path));
        let below = self.cwd.as_deref().is_some_and(|cwd| cwd.starts_with(data_dir));
        let is = |word: &[u8]| self.command.split(|byte| *byte == 0).any(|argument| argument == word);
        match (named, below) {
            (true, _) if is(b"up") => Some(0),
            (true, _) if is(b"supervise") => Some(1),
            (true, _) if is(b"shim") => Some(3),
            (true, _) => Some(2),
            (false, true) => Some(4),
            (false, false) => None,
        }
    }
}
