//! Which etcd there is, and whether it will do.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::timeout};

/// The oldest that does what it promises.
pub const OLDEST: (u32, u32, u32) = (3, 5, 16);
/// Newer ones are not known.
const BEYOND: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(5);

const HOW: &str = "Debian 13 packages one that is new enough, and it runs on Debian 12: apt-get download etcd-server, \
                   unpack it with `dpkg -x`, and name its usr/bin/etcd with --etcd or store.etcd";

/// An etcd that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdProgram {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: (u32, u32, u32),
}

/// Why an etcd will not do.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is none.
    #[error("there is no etcd at {} ({source}). {HOW}", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it cannot be started.
        source: io::Error,
    },
    /// It is no etcd.
    #[error("{} is no etcd: asked for its version it said {said:?}. {HOW}", .path.display())]
    Other {
        /// The program.
        path: PathBuf,
        /// The first line that it said.
        said: String,
    },
    /// It is too old.
    #[error(
        "{} is etcd {}, whose faults in leases and watches have been mended since: {} is the oldest that is safe. {HOW}",
        .path.display(), in_words(*.found), in_words(OLDEST)
    )]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: (u32, u32, u32),
    },
    /// It is newer than what is known.
    #[error("{} is etcd {}, which this NodePanel does not know yet: use 3.x, from {} on", .path.display(), in_words(*.found), in_words(OLDEST))]
    TooNew {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: (u32, u32, u32),
    },
}

impl EtcdProgram {
    /// Asks a program who it is.
    pub async fn examine(path: &Path) -> Result<Self, ProgramError> {
        let path = path.to_owned();
        let mut command = Command::new(&path);
        // `ETCD_...` would be its flags.
        command.arg("--version").env_clear().stdin(Stdio::null()).kill_on_drop(true);
        let said = match timeout(PATIENCE, command.output()).await {
            Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Ok(Err(source)) => return Err(ProgramError::Missing { path, source }),
            Err(_) => "nothing for 5 s".to_owned(),
        };
        let Some(version) = version(&said) else {
            let said = said.lines().next().unwrap_or_default().chars().take(80).collect();
            return Err(ProgramError::Other { path, said });
        };
        if version < OLDEST {
            return Err(ProgramError::TooOld { path, found: version });
        }
        if version.0 >= BEYOND {
            return Err(ProgramError::TooNew { path, found: version });
        }
        Ok(Self { path, version })
    }
}

fn version(said: &str) -> Option<(u32, u32, u32)> {
    let text = said.lines().find_map(|line| line.strip_prefix("etcd Version: "))?;
    let mut numbers = text.trim().splitn(3, '.').map(|part| part.split(['-', '+']).next()?.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

fn in_words((major, minor, patch): (u32, u32, u32)) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_etcd_says() {
        assert_eq!(version("etcd Version: 3.5.16\nGit SHA: x\n"), Some((3, 5, 16)));
        assert_eq!(version("etcd Version: 3.6.0-rc.1+git\n"), Some((3, 6, 0)));
        for other in ["", "etcd Version: ", "etcd Version: 3.5", "redis 7.0.15"] {
            assert_eq!(version(other), None, "{other}");
        }
    }
}
