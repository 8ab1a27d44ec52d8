//! What is remembered of builds, on disk.

use std::{
    fs::{self, DirBuilder, File, FileTimes},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Print;
use crate::whole_file;

/// A build could not be kept or remembered.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct BuildError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// What to run, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The installed build; it was proven.
    Proven,
    /// The installed build, which nobody knows yet; with a good one to return to or without.
    OnProbation {
        /// The good one.
        good: Option<PathBuf>,
    },
    /// The good build: the installed one was refused.
    Refused {
        /// The good one.
        good: PathBuf,
        /// Why the installed one was refused.
        why: String,
    },
}

/// The directory and what is in it.
#[derive(Debug, Clone)]
pub struct Builds {
    directory: PathBuf,
    remembered: Remembered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    version: u32,
    /// The last build that was proven.
    proven: Option<Print>,
    /// The last one that was not, and why.
    refused: Option<(Print, String)>,
}

impl Builds {
    /// Reads what is remembered. What cannot be read is forgotten: builds are then on probation once more.
    pub fn open(data_dir: &Path) -> Self {
        let directory = data_dir.join("builds");
        let nothing = Remembered { version: 1, proven: None, refused: None };
        let remembered = whole_file::read_json(&directory.join("state.json")).unwrap_or_else(|error| {
            warn!(%error, "what is known of builds cannot be read; they are on probation again");
            None
        });
        let remembered = remembered.unwrap_or(nothing);
        Self { directory, remembered }
    }

    /// Where the copy of the last good build is.
    pub fn good_path(&self) -> PathBuf {
        self.directory.join("good")
    }

    /// What to run when this build is installed.
    pub fn choose(&self, installed: Option<Print>) -> Choice {
        if installed.is_some() && self.remembered.proven == installed {
            return Choice::Proven;
        }
        let good = Some(self.good_path())
            .filter(|path| self.remembered.proven.is_some() && Print::of(path).ok() == self.remembered.proven);
        match (&self.remembered.refused, good) {
            (Some((refused, why)), Some(good)) if installed.is_none_or(|installed| installed == *refused) => {
                Choice::Refused { good, why: why.clone() }
            }
            (_, good) => Choice::OnProbation { good },
        }
    }

    /// Whether this is the last build that was proven.
    pub fn is_proven(&self, print: Print) -> bool {
        self.remembered.proven == Some(print)
    }

    /// Remembers that the build in `program` is good, and keeps a copy: a second name where that can be had, since it
    /// costs nothing. Blocks for the disk.
    pub fn keep(&mut self, program: &Path, print: Print) -> Result<(), BuildError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| BuildError { what, path, source }
        };
        let made = DirBuilder::new().recursive(true).mode(0o711).create(&self.directory);
        made.map_err(failed("make", &self.directory))?;
        let (good, fresh) = (self.good_path(), self.directory.join("good.new"));
        if Print::of(&good).ok() != Some(print) {
            let _ = fs::remove_file(&fresh);
            if fs::hard_link(program, &fresh).is_err() {
                copy(program, &fresh, print).map_err(failed("copy the program to", &fresh))?;
            }
            fs::rename(&fresh, &good).map_err(failed("keep the program as", &good))?;
        }
        self.remembered.proven = Some(print);
        self.save()
    }

    /// Remembers that a build was refused. Blocks for the disk.
    pub fn refuse(&mut self, print: Print, why: &str) -> Result<(), BuildError> {
        self.remembered.refused = Some((print, why.to_owned()));
        self.save()
    }

    fn save(&self) -> Result<(), BuildError> {
        let path = self.directory.join("state.json");
        let made = DirBuilder::new().recursive(true).mode(0o711).create(&self.directory);
        let written = made.and_then(|()| whole_file::replace_json(&path, &self.remembered));
        written.map_err(|source| BuildError { what: "write", path, source })
    }
}

/// Copies a program with what makes its print.
fn copy(program: &Path, to: &Path, print: Print) -> io::Result<()> {
    fs::copy(program, to)?;
    let file = File::options().write(true).open(to)?;
    let modified = fs::metadata(program)?.modified()?;
    file.set_times(FileTimes::new().set_modified(modified))?;
    file.set_permissions(fs::Permissions::from_mode(0o755))?;
    file.sync_all()?;
    if Print::of(to)? == print { Ok(()) } else { Err(io::Error::other("the program changed while it was copied")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(directory: &Path, text: &str) -> (PathBuf, Print) {
        let path = directory.join("program");
        let fresh = directory.join("program.new");
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, &path).unwrap();
        let print = Print::of(&path).unwrap();
        (path, print)
    }

    #[test]
    fn a_build_is_on_probation_until_it_was_proven() {
        let dir = tempfile::tempdir().unwrap();
        let (path, first) = program(dir.path(), "first");
        let mut builds = Builds::open(dir.path());
        assert_eq!(builds.choose(Some(first)), Choice::OnProbation { good: None });
        builds.keep(&path, first).unwrap();
        let builds = Builds::open(dir.path());
        assert_eq!(builds.choose(Some(first)), Choice::Proven);
        let (_, second) = program(dir.path(), "another");
        assert_eq!(builds.choose(Some(second)), Choice::OnProbation { good: Some(builds.good_path()) });
        assert_eq!(fs::read_to_string(builds.good_path()).unwrap(), "first");
    }

    #[test]
    fn a_refused_build_is_not_tried_again_and_another_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let (path, first) = program(dir.path(), "first");
        let mut builds = Builds::open(dir.path());
        builds.keep(&path, first).unwrap();
        let (_, second) = program(dir.path(), "another");
        builds.refuse(second, "api-1 exited with code 1").unwrap();
        let builds = Builds::open(dir.path());
        let good = builds.good_path();
        let why = "api-1 exited with code 1".to_owned();
        assert_eq!(builds.choose(Some(second)), Choice::Refused { good: good.clone(), why });
        let (_, third) = program(dir.path(), "the third");
        assert_eq!(builds.choose(Some(third)), Choice::OnProbation { good: Some(good) });
    }

    #[test]
    fn a_good_build_that_was_changed_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (path, first) = program(dir.path(), "first");
        let mut builds = Builds::open(dir.path());
        builds.keep(&path, first).unwrap();
        fs::write(builds.good_path(), "damaged").unwrap();
        let (_, second) = program(dir.path(), "another");
        assert_eq!(builds.choose(Some(second)), Choice::OnProbation { good: None });
    }

    #[test]
    fn a_copy_to_another_disk_keeps_what_makes_the_build() {
        let dir = tempfile::tempdir().unwrap();
        let (path, print) = program(dir.path(), "first");
        let to = dir.path().join("copy");
        copy(&path, &to, print).unwrap();
        assert_eq!(Print::of(&to).unwrap(), print);
    }
}
