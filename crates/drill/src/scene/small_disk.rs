//! A disk of its own for a scratch installation, which can be filled to the last byte without harm to anybody else. It
//! lives in memory; only root can have one.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::scratch::at;
use crate::error::DrillError;

/// A mounted disk.
#[derive(Debug)]
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many bytes at `place`, an empty directory.
    pub fn mount(place: &Path, bytes: u64) -> Result<Self, DrillError> {
        let options = format!("size={bytes},mode=755");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(place)
            .output()
            .map_err(at("mount"))?;
        if output.status.success() {
            return Ok(Self { place: place.to_owned() });
        }
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(DrillError::NoDisk { reason })
    }

    /// Leaves no room on it.
    pub fn fill(&self) -> Result<(), DrillError> {
        let path = self.ballast();
        let mut ballast = fs::File::create(&path).map_err(at(&path))?;
        let free = statvfs(&self.place).map_err(|error| at(&self.place)(error.into()))?;
        let _ = fallocate(&ballast, FallocateFlags::empty(), 0, (free.f_bavail * free.f_frsize).max(1));
        let mut end = fs::OpenOptions::new().append(true).open(&path).map_err(at(&path))?;
        for size in [65_536, 4_096, 1] {
            loop {
                match end.write_all(&vec![1; size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(at(&path)(error)),
                }
            }
        }
        ballast.flush().map_err(at(&path))
    }

    /// Makes room again.
    pub fn make_room(&self) -> Result<(), DrillError> {
        let path = self.ballast();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Something of the installation may be on its way out still.
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
    }
}
