//! What the installation of a drill stands on: a disk or a clock of its own, which can be broken without harm to anybody
//! else. Each is taken away again when it is dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{FailingDisk, MovedClock, SlowDisk, SmallDisk};
use crate::error::DrillError;

/// What a drill needs beneath its installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The machine as it is.
    Machine,
    /// A disk that can be filled.
    SmallDisk,
    /// A disk that can stop answering.
    SlowDisk,
    /// A disk that can fail to keep what is written.
    FailingDisk,
    /// A clock that can be set.
    Clock,
}

impl Ground {
    /// Why this machine cannot give it, as far as that shows before it is tried.
    pub fn obstacle(self) -> Option<String> {
        let root = || (!rustix::process::geteuid().is_root()).then(|| "it needs root, to mount a disk".to_owned());
        let image = || {
            let loops = || (!Path::new("/dev/loop-control").exists()).then(|| "there are no loop devices".to_owned());
            root().or_else(loops).or_else(|| lacks("mkfs.ext4", "e2fsprogs"))
        };
        match self {
            Self::Machine => None,
            Self::SmallDisk => root(),
            Self::SlowDisk => image().or_else(|| lacks("fsfreeze", "util-linux")),
            Self::FailingDisk => FailingDisk::obstacle(),
            Self::Clock => MovedClock::obstacle(),
        }
    }

    /// Makes it, for an installation whose data is at `data`, an empty directory in `directory`, and needs so many
    /// bytes.
    pub(super) fn prepare(self, directory: &Path, data: &Path, bytes: u64) -> Result<Prepared, DrillError> {
        if let Some(reason) = self.obstacle() {
            return Err(DrillError::Impossible { reason });
        }
        Ok(match self {
            Self::Machine => Prepared::Machine,
            Self::SmallDisk => Prepared::Small(SmallDisk::mount(data, bytes)?),
            Self::SlowDisk => Prepared::Slow(SlowDisk::mount(&directory.join("disk"), data, bytes)?),
            Self::FailingDisk => Prepared::Failing(FailingDisk::new(directory)),
            Self::Clock => Prepared::Clock(MovedClock::new(directory)?),
        })
    }
}

/// What was made.
#[derive(Debug)]
pub(super) enum Prepared {
    Machine,
    Small(SmallDisk),
    Slow(SlowDisk),
    Failing(FailingDisk),
    Clock(MovedClock),
}

impl Prepared {
    /// What a process of the installation has to be told of it.
    pub(super) fn tell(&self, command: &mut Command) {
        if let Self::Clock(clock) = self {
            clock.tell(command);
        }
    }
}

/// Why a program cannot be run, if it cannot.
pub(super) fn lacks(program: &str, package: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(usual).any(|directory| directory.join(program).is_file());
    (!found).then(|| format!("there is no {program} (apt-get install {package})"))
}

/// A file system in a file, mounted by a loop device, which goes with it.
#[derive(Debug)]
pub(super) struct Image {
    place: PathBuf,
}

impl Image {
    /// Makes one of so many bytes in `file`, and mounts it at `place`.
    pub(super) fn mount(file: &Path, place: &Path, bytes: u64) -> Result<Self, DrillError> {
        let image = fs::File::create_new(file).map_err(super::scratch::at(file))?;
        image.set_len(bytes).map_err(super::scratch::at(file))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-b", "4096"]).arg(file))?;
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop,nosuid,nodev"]).arg(file).arg(place))?;
        // What mkfs made for root's lost files is no part of an installation.
        let _ = fs::remove_dir(place.join("lost+found"));
        Ok(Self { place: place.to_owned() })
    }

    /// Where it is mounted.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Something of the installation may be on its way out still; the loop device goes with the last of it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
    }
}

/// Runs something that must succeed.
fn run(command: &mut Command) -> Result<(), DrillError> {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let program = command.get_program().to_owned();
    let output = command.output().map_err(super::scratch::at(&program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(DrillError::NoDisk { reason: format!("{}: {}", program.to_string_lossy(), said.trim()) })
}
