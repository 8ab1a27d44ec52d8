//! Which hierarchies this machine has, and where in them we may make groups.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The directory that holds the groups of all servers.
const BASE: &str = "nodepanel";

/// What a group can limit or count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// Memory.
    Memory,
    /// Processor time: limit.
    Cpu,
    /// Processor time: account (version 1 only; part of `Cpu` in version 2).
    CpuAccount,
    /// Number of processes.
    Pids,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Memory, Self::Cpu, Self::CpuAccount, Self::Pids];

    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::CpuAccount => "cpuacct",
            Self::Pids => "pids",
        }
    }
}

/// Where the groups of servers are made.
#[derive(Debug, Clone, Default)]
pub struct Hierarchies {
    /// Version 2, when it carries the controllers.
    pub(super) unified: Option<PathBuf>,
    /// Version 1: a controller and its base directory.
    pub(super) legacy: Vec<(Controller, PathBuf)>,
    /// Version 2 beside version 1, without controllers: what traffic is counted on.
    pub(super) beside: Option<PathBuf>,
    warning: Option<String>,
}

impl Hierarchies {
    /// Looks at the machine and makes the base directories. Blocks for some reads and writes below `/sys`.
    pub fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::from_descriptions(&mounts, &own)
    }

    /// Without any group.
    pub fn none() -> Self {
        Self::default()
    }

    fn from_descriptions(mounts: &str, own: &str) -> Self {
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let mut found = Self::default();
        let mut problem = None;
        for controller in Controller::ALL {
            let Some(mount) = mounts.iter().find(|mount| mount.carries(controller)) else { continue };
            match make_base(&mount.point, &own_path(own, Some(controller))) {
                Ok(base) => found.legacy.push((controller, base)),
                Err(error) => problem = Some((mount.point.clone(), error)),
            }
        }
        if let Some(mount) = mounts.iter().find(|mount| mount.unified) {
            let base = make_base(&mount.point, &own_path(own, None));
            if found.legacy.is_empty() {
                match base.and_then(|base| delegate(&base).map(|()| base)) {
                    Ok(base) => found.unified = Some(base),
                    Err(error) => problem = Some((mount.point.clone(), error)),
                }
            } else {
                found.beside = base.ok();
            }
        }
        found.warning = found.describe_problem(problem);
        found
    }

    fn describe_problem(&self, problem: Option<(PathBuf, io::Error)>) -> Option<String> {
        let complete = self.unified.is_some()
            || [Controller::Memory, Controller::Cpu, Controller::Pids]
                .iter()
                .all(|wanted| self.legacy.iter().any(|(controller, _)| controller == wanted));
        if complete {
            return None;
        }
        let cause = problem.map_or_else(
            || "this kernel offers none of the memory, cpu and pids controllers".to_owned(),
            |(path, error)| format!("{} cannot be used ({error})", path.display()),
        );
        Some(format!(
            "Limits for memory, processor and processes are not enforced: {cause}. Run the agent as root, or give its \
             service a delegated control group (systemd: Delegate=yes)."
        ))
    }

    /// What is weaker here than it could be, and what to do; `None` when every limit can be set.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Whether there are groups whose traffic could be counted.
    pub fn carry_traffic(&self) -> bool {
        self.unified.is_some() || self.beside.is_some()
    }

    /// Whether groups can be made at all.
    pub fn is_usable(&self) -> bool {
        self.unified.is_some() || !self.legacy.is_empty()
    }
}

/// A mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    unified: bool,
    options: String,
}

impl Mount {
    /// A line of `/proc/self/mountinfo`: fields, ` - `, type, source, options of the file system.
    fn parse(line: &str) -> Option<Self> {
        let (fields, rest) = line.split_once(" - ")?;
        let point = fields.split(' ').nth(4)?;
        let mut rest = rest.split(' ');
        let kind = rest.next()?;
        let options = rest.nth(1)?;
        let unified = match kind {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        Some(Self { point: PathBuf::from(point), unified, options: options.to_owned() })
    }

    fn carries(&self, controller: Controller) -> bool {
        !self.unified && self.options.split(',').any(|option| option == controller.name())
    }
}

/// Our own group in a hierarchy; `/` when it is not told.
fn own_path(own: &str, controller: Option<Controller>) -> PathBuf {
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let matches = match controller {
            Some(controller) => controllers.split(',').any(|name| name == controller.name()),
            None => controllers.is_empty(),
        };
        matches.then_some(path)
    });
    PathBuf::from(path.unwrap_or("/"))
}

/// Makes the base directory as near to the root of the hierarchy as we are allowed to.
fn make_base(mount: &Path, own: &Path) -> io::Result<PathBuf> {
    let mut refused = None;
    let mut above: Vec<&Path> = own.ancestors().collect();
    above.reverse();
    for ancestor in above {
        let place = mount.join(ancestor.strip_prefix("/").unwrap_or(ancestor));
        // The kernel moves a process only for who may write the list of processes at the common ancestor.
        let base = place.join(BASE);
        match fs::create_dir(&base) {
            Ok(()) => return Ok(base),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_ours(&base) => return Ok(base),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

fn is_ours(base: &Path) -> bool {
    rustix::fs::access(base, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Version 2: passes the controllers down to the base and to the groups below it.
fn delegate(base: &Path) -> io::Result<()> {
    const WANTED: &str = "+memory +cpu +pids";
    if let Some(parent) = base.parent() {
        fs::write(parent.join("cgroup.subtree_control"), WANTED)?;
    }
    fs::write(base.join("cgroup.subtree_control"), WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_and_own_groups_are_read_from_the_kernels_words() {
        let mount = Mount::parse("35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory").unwrap();
        assert!(mount.carries(Controller::Memory) && !mount.carries(Controller::Pids));
        let both = Mount::parse("33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct");
        assert!(both.as_ref().is_some_and(|mount| mount.carries(Controller::Cpu)));
        assert!(both.is_some_and(|mount| mount.carries(Controller::CpuAccount)));
        let two = Mount::parse("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate").unwrap();
        assert!(two.unified);
        assert_eq!(Mount::parse("1 2 0:3 / /proc rw - proc proc rw"), None);

        let own = "9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/user.slice\n";
        assert_eq!(own_path(own, Some(Controller::Memory)), Path::new("/a/b"));
        assert_eq!(own_path(own, Some(Controller::CpuAccount)), Path::new("/c"));
        assert_eq!(own_path(own, Some(Controller::Pids)), Path::new("/"));
        assert_eq!(own_path(own, None), Path::new("/user.slice"));
    }

    #[test]
    fn a_machine_without_groups_is_named_with_what_to_do() {
        let none = Hierarchies::from_descriptions("", "");
        assert!(!none.is_usable());
        assert!(none.warning().unwrap().contains("Delegate=yes"), "{none:?}");
    }
}
