//! A clock of its own for a scratch installation, which can be set: libfaketime gives it to every process of it, by a
//! file that each looks into whenever it asks for the time. The clock that only counts goes on, as on a machine whose
//! clock is set. Games have the machine's clock: nothing of ours is preloaded into them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::scratch::at;
use crate::error::DrillError;

/// The library for programs with threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// A clock.
#[derive(Debug)]
pub struct MovedClock {
    library: PathBuf,
    file: PathBuf,
}

impl MovedClock {
    /// Why there can be none.
    pub(super) fn obstacle() -> Option<String> {
        library().is_none().then(|| "there is no libfaketime (apt-get install faketime)".to_owned())
    }

    /// A clock that shows the machine's time; its file is in `directory`.
    pub(super) fn new(directory: &Path) -> Result<Self, DrillError> {
        let reason = || DrillError::Impossible { reason: Self::obstacle().unwrap_or_default() };
        let clock = Self { library: library().ok_or_else(reason)?, file: directory.join("clock") };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it to so many seconds after the machine's time.
    pub fn set(&self, seconds: i64) -> Result<(), DrillError> {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, format!("{seconds:+}\n")).map_err(at(&fresh))?;
        // Nobody may read half of it.
        fs::rename(&fresh, &self.file).map_err(at(&self.file))
    }

    /// Gives it to a process and all that this starts.
    pub(super) fn tell(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
    }
}

fn library() -> Option<PathBuf> {
    let below = |directory: &str| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().join(LIBRARY)).find(|path| path.is_file())
    };
    let plain = ["/usr/lib", "/usr/lib64"].map(|directory| Path::new(directory).join(LIBRARY));
    plain.into_iter().find(|path| path.is_file()).or_else(|| below("/usr/lib"))
}
