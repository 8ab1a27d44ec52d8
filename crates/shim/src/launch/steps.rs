//! The single steps from a copy of the shim to a game.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    process::{Gid, Resource, Rlimit, Uid, getrlimit, setrlimit},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::LaunchError;
use crate::{
    game::MARK,
    spec::{ShimSpec, UserIds},
};

/// The name of the game's own temporary directory, in its directory.
const TEMPORARY: &str = ".tmp";

pub(super) fn join_cgroups(cgroups: &[PathBuf]) -> Result<(), LaunchError> {
    let own = std::process::id().to_string();
    for dir in cgroups {
        OpenOptions::new()
            .write(true)
            .open(dir.join("cgroup.procs"))
            .and_then(|mut file| file.write_all(own.as_bytes()))
            .map_err(|error| LaunchError::step("A control group of the server cannot be joined", error))?;
    }
    Ok(())
}

pub(super) fn limit(spec: &ShimSpec) -> Result<(), LaunchError> {
    let limits = [
        (Resource::Nofile, spec.rlimits.open_files),
        (Resource::Core, spec.rlimits.core_bytes),
        (Resource::Nproc, spec.rlimits.processes),
    ];
    for (resource, limit) in limits {
        let Some(limit) = limit else { continue };
        // Whoever is not root cannot raise the hard limit: as much as there is must do.
        let within = getrlimit(resource).maximum.map_or(limit, |hard| limit.min(hard));
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })
            .or_else(|_| setrlimit(resource, Rlimit { current: Some(within), maximum: Some(within) }))
            .map_err(|errno| LaunchError::step(format!("The limit {resource:?} cannot be set"), errno))?;
    }
    // May always be raised; where it is already higher (a container) it stays.
    let score = spec.confinement.oom_score_adj.clamp(0, 1_000);
    let _ = fs::write("/proc/self/oom_score_adj", score.to_string());
    Ok(())
}

/// Gives up the present user for another one, with its group and no other groups.
pub(super) fn change_user(user: Option<UserIds>) -> Result<(), LaunchError> {
    let Some(UserIds { uid, gid }) = user else { return Ok(()) };
    let failed = |errno| LaunchError::step(format!("The user {uid} (group {gid}) cannot be taken on"), errno);
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    // Of this thread: the process has no other.
    set_thread_groups(&[]).map_err(failed)?;
    set_thread_res_gid(gid, gid, gid).map_err(failed)?;
    set_thread_res_uid(uid, uid, uid).map_err(failed)
}

/// Made as the game's user, inside its confinement: nothing that lies in its place can be used against us.
pub(super) fn make_temporary_directory(dir: &Path) -> Result<(), LaunchError> {
    match fs::DirBuilder::new().mode(0o700).create(dir.join(TEMPORARY)) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(LaunchError::step("The server's own directory cannot be written by its user", source))
        }
        _ => Ok(()),
    }
}

/// The clean environment of a game, and what its template adds.
pub(super) fn environment(spec: &ShimSpec) -> BTreeMap<String, String> {
    let clean = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games:/usr/local/sbin:/usr/sbin:/sbin".to_owned()),
        ("HOME", spec.dir.to_string_lossy().into_owned()),
        ("TMPDIR", spec.dir.join(TEMPORARY).to_string_lossy().into_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("TERM", "xterm-256color".to_owned()),
    ];
    let mut environment: BTreeMap<String, String> = clean.map(|(name, value)| (name.to_owned(), value)).into();
    environment.extend(spec.env.clone());
    // Last: what cleans up after a shim that was killed relies on it.
    environment.insert(MARK.to_owned(), spec.server.to_string());
    environment
}
