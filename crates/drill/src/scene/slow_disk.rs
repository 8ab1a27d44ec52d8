//! A disk of its own for a scratch installation, which can stop answering: a file system in a file, frozen. Everything
//! that is written to it waits, not only what is synced, which is more than most slow disks do. Only root can have one.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use super::{PATIENCE, ground::Image, scratch::at};
use crate::error::DrillError;

/// Freezes it, says so, waits, and thaws it. A process of its own does it, out of reach of the terminal's Ctrl-C:
/// whatever becomes of the drill, no disk stays frozen.
const PAUSE: &str = r#"fsfreeze --freeze "$0" && echo x && { sleep "$1"; fsfreeze --unfreeze "$0"; }"#;

/// A mounted disk.
#[derive(Debug)]
pub struct SlowDisk {
    image: Image,
}

impl SlowDisk {
    /// Mounts one of so many bytes, kept in the file `backing`, at `place`, an empty directory.
    pub(super) fn mount(backing: &Path, place: &Path, bytes: u64) -> Result<Self, DrillError> {
        Ok(Self { image: Image::mount(backing, place, bytes)? })
    }

    /// Has it answer nothing for so long; returns when that has begun.
    pub async fn pause(&self, length: Duration) -> Result<Pause, DrillError> {
        let place = self.image.place().to_owned();
        let failed = |source| at(&place)(source);
        let mut child = Command::new("sh")
            .args(["-c", PAUSE])
            .arg(&place)
            .arg(length.as_secs_f64().to_string())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let said = child.stdout.take().map(BufReader::new);
        let Some(mut said) = said else { return Err(failed(io::ErrorKind::BrokenPipe.into())) };
        match timeout(PATIENCE, said.read_u8()).await {
            Ok(Ok(_)) => Ok(Pause { child, place }),
            _ => Err(DrillError::NoDisk { reason: "it cannot be frozen".to_owned() }),
        }
    }
}

/// A disk that answers nothing.
#[derive(Debug)]
pub struct Pause {
    child: Child,
    place: PathBuf,
}

impl Pause {
    /// Waits until it answers again.
    pub async fn over(mut self) -> Result<(), DrillError> {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Err(source)) => Err(at(&self.place)(source)),
            _ => Err(DrillError::NoDisk { reason: "it stays frozen".to_owned() }),
        }
    }
}
