//! The clock that leases are judged by: time since the host booted, which no step of the wall clock touches.
//!
//! `CLOCK_BOOTTIME` is the same for every process of a host and also counts while the host sleeps. It starts at
//! zero at each boot, so stored deadlines are only meaningful together with the id of the boot they belong to;
//! after a reboot (or on another host) each lease gets its full time again.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Time as all processes of one host see it.
pub trait HostClock: Send + Sync + 'static {
    /// How long ago the host booted.
    fn since_boot(&self) -> Duration;

    /// A text that changes with every boot and differs between hosts.
    fn boot_id(&self) -> String;
}

/// The kernel's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl HostClock for BootClock {
    fn since_boot(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    }

    fn boot_id(&self) -> String {
        // Without /proc every boot looks like the same one: leases then end late after a reboot, never early.
        fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(|_| "unknown".into(), |id| id.trim().into())
    }
}
