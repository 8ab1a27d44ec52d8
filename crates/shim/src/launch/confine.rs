//! What a game may see of the machine: Landlock rules.
//!
//! A game may read and run what the system provides, use the harmless devices, and do what it likes in its own
//! directory. It sees nothing else of the file system, cannot signal or trace a process outside, and reaches no
//! abstract socket (nor, where the kernel can forbid it, a named one) outside. Our own directories are left out
//! even where they lie below one that is allowed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};

use super::LaunchError;
use crate::spec::ShimSpec;

/// The newest kernel interface whose rights are handled; older kernels give what they can.
const NEWEST: ABI = ABI::V9;
/// From this version on a game can neither leave its files nor signal what is not its own.
const SUFFICIENT: ABI = ABI::V6;

/// What the system provides for reading and running. Those in `/run` are what `/etc/resolv.conf` may point to.
const SYSTEM: [&str; 14] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/proc",
    "/sys",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/var/lib/games",
];

/// Devices that games need and that reach nobody else.
const DEVICES: [&str; 9] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
];

/// Rules that are ready to be enforced.
pub(super) struct Rules(Option<RulesetCreated>);

impl Rules {
    /// Opens every path that the rules name.
    pub(super) fn collect(spec: &ShimSpec) -> Result<Self, LaunchError> {
        if !spec.confinement.landlock {
            return Ok(Self(None));
        }
        let ruleset = build(spec)
            .map_err(|source| LaunchError::step("The rules that confine the game cannot be made", source))?;
        Ok(Self(Some(ruleset)))
    }

    /// Puts the rules into force for this process and all that it starts; returns what is weaker than it could be.
    pub(super) fn enforce(self) -> Result<Vec<String>, LaunchError> {
        let Some(ruleset) = self.0 else {
            return Ok(vec!["The game is not confined by Landlock, as its order says.".to_owned()]);
        };
        let status = ruleset
            .restrict_self()
            .map_err(|error| LaunchError::step("The game cannot be confined", io::Error::other(error)))?;
        let note = match (status.ruleset, status.landlock) {
            (RulesetStatus::FullyEnforced, _) => return Ok(Vec::new()),
            // What later versions add is nothing that keeps games apart.
            (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, .. })
                if effective_abi >= SUFFICIENT =>
            {
                return Ok(Vec::new());
            }
            (RulesetStatus::PartiallyEnforced, LandlockStatus::Available { effective_abi, .. }) => format!(
                "The game is confined by Landlock as far as this kernel can (its version {}; version {} also keeps it \
                 from signalling other processes of its user).",
                effective_abi as i32, SUFFICIENT as i32
            ),
            (RulesetStatus::PartiallyEnforced, _) => {
                "The game is confined by Landlock as far as this kernel can.".to_owned()
            }
            (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => "The game is not confined by Landlock: the \
                kernel has it but it is switched off. Add `landlock` to the kernel's `lsm=` list."
                .to_owned(),
            (RulesetStatus::NotEnforced, _) => "The game is not confined by Landlock: this kernel does not have it \
                (Linux 5.13 or newer is needed)."
                .to_owned(),
        };
        Ok(vec![note])
    }
}

fn build(spec: &ShimSpec) -> Result<RulesetCreated, io::Error> {
    let all = AccessFs::from_all(NEWEST);
    let read = AccessFs::from_read(NEWEST);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    let own = [&spec.state_dir, &spec.token_file, &spec.log.dir].map(|path| resolved(path));
    let hidden: Vec<PathBuf> =
        spec.confinement.hidden_paths.iter().map(|path| resolved(path)).chain(own.iter().cloned()).collect();
    let resolver = fs::canonicalize("/etc/resolv.conf").ok();
    for path in SYSTEM.iter().map(PathBuf::from).chain(resolver).flat_map(|path| around(&path, &hidden)) {
        ruleset = allow(ruleset, &path, read)?;
    }
    for path in &spec.confinement.read_paths {
        // Named one by one, a path may lie within what is hidden otherwise; what is the shim's own stays hidden.
        let path = resolved(path);
        let hidden: Vec<PathBuf> =
            hidden.iter().filter(|hidden| own.contains(hidden) || !path.starts_with(hidden)).cloned().collect();
        for path in around(&path, &hidden) {
            ruleset = allow(ruleset, &path, read)?;
        }
    }
    for path in DEVICES.iter().map(Path::new).chain(spec.confinement.write_paths.iter().map(PathBuf::as_path)) {
        ruleset = allow(ruleset, path, all)?;
    }
    allow(ruleset, &spec.dir, all)
}

/// Allows `access` below `path`; a path that is not there (or not ours to open) needs no rule.
fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    let Ok(target) = PathFd::new(path) else { return Ok(ruleset) };
    let is_directory = fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let access = if is_directory { access } else { access & AccessFs::from_file(NEWEST) };
    ruleset.add_rule(PathBeneath::new(target, access)).map_err(io::Error::other)
}

fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or(path.to_owned())
}

/// `path`, or, when something hidden lies below it, everything in it but that.
fn around(path: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let path = resolved(path);
    if hidden.iter().any(|hidden| path.starts_with(hidden)) {
        return Vec::new();
    }
    if !hidden.iter().any(|hidden| hidden.starts_with(&path)) {
        return vec![path];
    }
    let entries = fs::read_dir(&path).into_iter().flatten().filter_map(Result::ok);
    // A link is no way around: what it points to has rules of its own.
    let entries = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    entries.flat_map(|entry| around(&entry.path(), hidden)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_left_out_of_what_is_allowed() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        for dir in ["a", "data/secret/deep", "data/open"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        let hidden = [root.join("data/secret")];
        let mut allowed = around(&root, &hidden);
        allowed.sort();
        assert_eq!(allowed, [root.join("a"), root.join("data/open")]);
        assert_eq!(around(&root.join("data/secret/deep"), &hidden), Vec::<PathBuf>::new());
        assert_eq!(around(&root.join("a"), &hidden), [root.join("a")]);
    }
}
