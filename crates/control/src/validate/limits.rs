//! Limits of a server and its crash policy.

use nodepanel_types::{state::CrashPolicy, wire::Limits};

use super::Complaints;

/// Notes every limit that is out of range.
pub fn limits(complaints: &mut Complaints, limits: &Limits) {
    let ranges = [
        ("limits.memory_mib", limits.memory_mib, 16..=16_777_216, "MiB"),
        ("limits.cpu_percent", limits.cpu_percent, 1..=100_000, "percent of one core"),
        ("limits.pids", limits.pids, 4..=1_000_000, "processes"),
        ("limits.disk_mib", limits.disk_mib, 1..=u32::MAX, "MiB"),
    ];
    for (field, value, range, unit) in ranges {
        if let Some(value) = value
            && !range.contains(&value)
        {
            complaints
                .add(field, format!("must be {} to {} {unit}, or left out for no limit.", range.start(), range.end()));
        }
    }
}

/// Notes every part of a crash policy that is out of range.
pub fn crash_policy(complaints: &mut Complaints, policy: &CrashPolicy) {
    if !(100..=60_000).contains(&policy.first_delay_ms) {
        complaints.add("crash.first_delay_ms", "must be 100 to 60,000 milliseconds.");
    }
    if policy.max_delay_ms < policy.first_delay_ms || policy.max_delay_ms > 3_600_000 {
        complaints.add("crash.max_delay_ms", "must be at least the first delay and at most 3,600,000 milliseconds.");
    }
    if !(1_000..=86_400_000).contains(&policy.healthy_after_ms) {
        complaints.add("crash.healthy_after_ms", "must be 1,000 to 86,400,000 milliseconds.");
    }
}
