//! Configurations of an installation: which one is in force, which one is known to be good, and which one was refused.
//!
//! The operator's file may be broken at any moment; what runs never reads it. A configuration is taken up as a whole,
//! as a copy that is named by what is in it: `data_dir/configurations/<hash>.toml`. Workers are told which copy is
//! theirs, so a worker that is started again reads what it read before. `state.json` beside the copies remembers what
//! was proven, like `build` does for programs. What a configuration says is not known here; only whether workers live
//! with it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use crate::whole_file;

/// The variable that tells a worker which copy of the configuration it is to read.
pub const CONFIGURATION: &str = "NODEPANEL_CONFIGURATION";

/// A configuration could not be kept or remembered.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ConfigurationError {
    path: PathBuf,
    source: io::Error,
}

/// What is known of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Everything ran with it for long enough.
    Proven,
    /// Nobody knows yet; with a good one to return to or without.
    OnProbation {
        /// The good one.
        good: Option<PathBuf>,
    },
    /// It was tried and refused, and there is a good one.
    Refused {
        /// The good one.
        good: PathBuf,
        /// Why it was refused.
        why: String,
    },
}

/// The directory and what is in it.
#[derive(Debug, Clone)]
pub struct Configurations {
    directory: PathBuf,
    remembered: Remembered,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    version: u32,
    /// The one that workers are started with.
    in_force: Option<String>,
    /// The last one that was proven.
    proven: Option<String>,
    /// The last one that was not, and why.
    refused: Option<(String, String)>,
}

impl Configurations {
    /// Reads what is remembered. What cannot be read is forgotten: configurations are then on probation once more.
    pub fn open(data_dir: &Path) -> Self {
        let directory = data_dir.join("configurations");
        let nothing = Remembered { version: 1, in_force: None, proven: None, refused: None };
        let remembered = whole_file::read_json(&directory.join("state.json")).unwrap_or_else(|error| {
            warn!(%error, "what is known of configurations cannot be read; they are on probation again");
            None
        });
        let remembered = remembered.unwrap_or(nothing);
        Self { directory, remembered }
    }

    /// The copy of the one that workers are started with, if it is whole.
    pub fn in_force(&self) -> Option<PathBuf> {
        self.whole(self.remembered.in_force.as_deref()?)
    }

    /// The copy of the last one that was proven, if it is whole.
    pub fn good(&self) -> Option<PathBuf> {
        self.whole(self.remembered.proven.as_deref()?)
    }

    /// What is known of a configuration with this text.
    pub fn standing(&self, text: &str) -> Standing {
        let name = name_of(text);
        if self.remembered.proven.as_ref() == Some(&name) {
            return Standing::Proven;
        }
        match (&self.remembered.refused, self.good()) {
            (Some((refused, why)), Some(good)) if *refused == name => Standing::Refused { good, why: why.clone() },
            (_, good) => Standing::OnProbation { good },
        }
    }

    /// Makes the copy of a configuration; remembers nothing. Blocks for the disk.
    pub fn copy(&self, text: &str) -> Result<PathBuf, ConfigurationError> {
        let name = name_of(text);
        if let Some(path) = self.whole(&name) {
            return Ok(path);
        }
        let path = self.path(&name);
        self.write(&path, || whole_file::replace(&path, text.as_bytes()))?;
        Ok(path)
    }

    /// Remembers that workers are started with this copy from now on. Blocks for the disk.
    pub fn put_in_force(&mut self, copy: &Path) -> Result<(), ConfigurationError> {
        let name = name_in(copy);
        if self.remembered.in_force == name {
            return Ok(());
        }
        self.remembered.in_force = name;
        self.save()
    }

    /// Remembers that this copy is good, and removes those that nobody needs any more. Blocks for the disk.
    pub fn keep(&mut self, copy: &Path) -> Result<(), ConfigurationError> {
        self.remembered.proven = name_in(copy);
        self.save()?;
        let needed = [&self.remembered.proven, &self.remembered.in_force];
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_copy = path.extension().is_some_and(|extension| extension == "toml");
            if is_copy && !needed.contains(&&name_in(&path)) {
                // One that stays costs nothing but its place.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Remembers that this copy was refused. Blocks for the disk.
    pub fn refuse(&mut self, copy: &Path, why: &str) -> Result<(), ConfigurationError> {
        self.remembered.refused = name_in(copy).map(|name| (name, why.to_owned()));
        self.save()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.toml"))
    }

    /// The copy of this name, if it still holds what its name says.
    fn whole(&self, name: &str) -> Option<PathBuf> {
        let path = self.path(name);
        fs::read_to_string(&path).is_ok_and(|text| name_of(&text) == name).then_some(path)
    }

    fn save(&self) -> Result<(), ConfigurationError> {
        let path = self.directory.join("state.json");
        self.write(&path, || whole_file::replace_json(&path, &self.remembered))
    }

    fn write(&self, path: &Path, write: impl FnOnce() -> io::Result<()>) -> Result<(), ConfigurationError> {
        // For the owner only, like the file that it is a copy of may be.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.and_then(|()| write()).map_err(|source| ConfigurationError { path: path.to_owned(), source })
    }
}

fn name_of(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.first_chunk::<8>().map_or_else(String::new, |first| format!("{:016x}", u64::from_be_bytes(*first)))
}

fn name_in(copy: &Path) -> Option<String> {
    Some(copy.file_stem()?.to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_on_probation_until_it_was_proven_and_then_the_one_to_return_to() {
        let dir = tempfile::tempdir().unwrap();
        let mut known = Configurations::open(dir.path());
        assert_eq!(known.standing("a = 1\n"), Standing::OnProbation { good: None });
        let first = known.copy("a = 1\n").unwrap();
        known.put_in_force(&first).unwrap();
        known.keep(&first).unwrap();
        let mut known = Configurations::open(dir.path());
        assert_eq!(known.standing("a = 1\n"), Standing::Proven);
        assert_eq!((known.in_force(), known.good()), (Some(first.clone()), Some(first.clone())));
        assert_eq!(known.standing("a = 2\n"), Standing::OnProbation { good: Some(first.clone()) });
        let second = known.copy("a = 2\n").unwrap();
        known.refuse(&second, "api-1 exited with code 1 with it").unwrap();
        let known = Configurations::open(dir.path());
        let why = "api-1 exited with code 1 with it".to_owned();
        assert_eq!(known.standing("a = 2\n"), Standing::Refused { good: first.clone(), why });
        assert_eq!(known.standing("a = 3\n"), Standing::OnProbation { good: Some(first) });
    }

    #[test]
    fn a_copy_that_was_changed_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut known = Configurations::open(dir.path());
        let copy = known.copy("a = 1\n").unwrap();
        known.keep(&copy).unwrap();
        fs::write(&copy, "a = 2\n").unwrap();
        assert_eq!(known.good(), None);
        assert_eq!(known.copy("a = 1\n").unwrap(), copy);
        assert_eq!(known.good(), Some(copy));
    }

    #[test]
    fn copies_that_nobody_needs_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut known = Configurations::open(dir.path());
        let old = known.copy("a = 1\n").unwrap();
        let new = known.copy("a = 2\n").unwrap();
        known.put_in_force(&new).unwrap();
        known.keep(&new).unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn what_version_1_remembered_stays_readable() {
        let dir = tempfile::tempdir().unwrap();
        let copy = Configurations::open(dir.path()).copy("").unwrap();
        let name = name_in(&copy).unwrap();
        let text = format!("{{\"version\":1,\"in_force\":\"{name}\",\"proven\":null,\"refused\":[\"ab\",\"no\"]}}");
        fs::write(dir.path().join("configurations/state.json"), text).unwrap();
        assert_eq!(Configurations::open(dir.path()).in_force(), Some(copy));
    }
}
