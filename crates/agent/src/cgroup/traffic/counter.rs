//! The counters of one group.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use super::{kernel, program, program::Direction};

/// Bytes since the counting began. They only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
}

/// What a group's processes sent and received, counted by the kernel.
#[derive(Debug)]
pub struct TrafficCounter {
    map: OwnedFd,
}

impl TrafficCounter {
    /// The counter of the group at `directory` (of version 2): the one that is there, or else a new one. Blocks for
    /// some system calls.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let group = File::open(directory)?;
        match Self::find(&group)? {
            Some(found) => Ok(found),
            None => Self::install(&group),
        }
    }

    /// Whether this kernel lets us count: tries everything but the attaching.
    pub fn attempt() -> io::Result<()> {
        let map = kernel::create_map()?;
        for direction in Direction::BOTH {
            kernel::load(direction, &program::counting(direction, map.as_fd()))?;
        }
        Ok(())
    }

    /// What was counted up to now.
    pub fn totals(&self) -> io::Result<Totals> {
        let sums = kernel::look_up(self.map.as_fd())?;
        Ok(Totals { received: sums.received, sent: sums.sent })
    }

    fn install(group: &File) -> io::Result<Self> {
        let map = kernel::create_map()?;
        for direction in Direction::BOTH {
            let loaded = kernel::load(direction, &program::counting(direction, map.as_fd()))?;
            kernel::attach(group, loaded.as_fd(), direction)?;
        }
        Ok(Self { map })
    }

    /// The counter that an earlier agent attached. It attached the sending side last: where that is, both are.
    fn find(group: &File) -> io::Result<Option<Self>> {
        for id in kernel::attached(group, Direction::Sent)? {
            // It may have been detached since, by somebody who may do that.
            let Ok(program) = kernel::program(id) else { continue };
            let description = kernel::describe(program.as_fd())?;
            if description.name == Direction::Sent.program_name()
                && let Some(map) = description.map
            {
                return Ok(Some(Self { map: kernel::map(map)? }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        net::UdpSocket,
        path::PathBuf,
        process::{Command, Stdio},
    };

    use super::*;

    /// A group of this test, removed again.
    struct Group(PathBuf);

    impl Drop for Group {
        fn drop(&mut self) {
            let _ = fs::remove_dir(&self.0);
        }
    }

    /// A new group of version 2, where this machine lets us make one.
    fn group() -> Option<Group> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ');
            let (_, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(point))
        })?;
        let path = mount.join(format!("nodepanel-traffic-test-{}", std::process::id()));
        fs::create_dir(&path).ok().map(|()| Group(path))
    }

    #[test]
    fn packets_of_a_group_are_counted_and_the_counter_is_found_again() {
        let Some(group) = group().filter(|_| rustix::process::geteuid().is_root()) else {
            eprintln!("Not tried: this needs root and control groups of version 2.");
            return;
        };
        let counter = TrafficCounter::of(&group.0).expect("root may attach a program to its group");
        assert_eq!(counter.totals().unwrap(), Totals::default());

        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        here.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let port = here.local_addr().unwrap().port();
        // Sends 3 datagrams of 100 bytes and waits for one of 200.
        let script = format!(
            "echo $$ > {}/cgroup.procs; exec 3<>/dev/udp/127.0.0.1/{port}; for i in 1 2 3; do printf '%0100d' 7 >&3; done; \
             head -c 200 <&3 > /dev/null",
            group.0.display()
        );
        let mut child = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
        let mut buffer = [0; 512];
        let mut from = None;
        for _ in 0..3 {
            let (length, address) = here.recv_from(&mut buffer).unwrap();
            assert_eq!(length, 100);
            from = Some(address);
        }
        here.send_to(&[1; 200], from.unwrap()).unwrap();
        child.wait().unwrap();

        // Each with 8 bytes of UDP's and 20 of IP's header.
        let carried = Totals { received: 228, sent: 3 * 128 };
        assert_eq!(counter.totals().unwrap(), carried);
        drop(counter);
        let again = TrafficCounter::of(&group.0).unwrap();
        assert_eq!(again.totals().unwrap(), carried, "a later agent finds what was counted without it");
        assert_eq!(kernel::attached(&File::open(&group.0).unwrap(), Direction::Sent).unwrap().len(), 1);
    }
}
