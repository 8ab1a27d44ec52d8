//! Usage of a process and everything it started, from `/proc`: for machines without control groups.

use std::fs;

use crate::cgroup::Reading;

/// Processes that are looked at; a fork bomb must not make the agent its accomplice.
const AT_MOST: usize = 1_000;

/// The units in which the kernel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    ticks_per_second: u64,
    page_size: u64,
}

impl Units {
    /// Reads them from what the kernel told this process at its start. Blocks for one read.
    pub fn read() -> Self {
        Self::from_auxiliary_vector(&fs::read("/proc/self/auxv").unwrap_or_default())
    }

    /// Pairs of native words: `AT_PAGESZ` is 6, `AT_CLKTCK` is 17.
    fn from_auxiliary_vector(vector: &[u8]) -> Self {
        const WORD: usize = size_of::<usize>();
        let word =
            |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok().and_then(|word| u64::try_from(word).ok());
        let value = |wanted: u64| {
            vector.chunks_exact(2 * WORD).find_map(|pair| {
                let (name, value) = pair.split_at(WORD);
                (word(name) == Some(wanted)).then(|| word(value))?
            })
        };
        Self { ticks_per_second: value(17).unwrap_or(100).max(1), page_size: value(6).unwrap_or(4_096) }
    }
}

/// Processor time and resident memory of the process tree below `root`. Processes that have ended are not counted any
/// more, so the sum of processor time can shrink. Blocks.
pub fn usage(root: u32, units: Units) -> Option<Reading> {
    let mut total = Reading { cpu_us: 0, memory_bytes: 0 };
    let mut waiting = vec![root];
    let mut seen = 0;
    while let Some(pid) = waiting.pop() {
        seen += 1;
        if seen > AT_MOST {
            break;
        }
        let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat")).ok() else {
            if pid == root {
                return None;
            }
            continue;
        };
        let Some((ticks, pages)) = times_and_pages(&stat) else { continue };
        total.cpu_us += ticks.saturating_mul(1_000_000) / units.ticks_per_second;
        total.memory_bytes += pages.saturating_mul(units.page_size);
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            waiting.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    Some(total)
}

/// Fields 14 and 15 (user and system time in ticks) and 24 (resident pages) of a stat line.
fn times_and_pages(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some((number(14)?.saturating_add(number(15)?), number(24)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_the_end_of_the_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 4711 9 99 1";
        assert_eq!(times_and_pages(stat), Some((110, 99)));
    }

    #[test]
    fn our_own_tree_has_memory_and_a_missing_one_has_nothing() {
        let usage_of_us = usage(std::process::id(), Units::read()).unwrap();
        assert!(usage_of_us.memory_bytes > 100_000);
        assert_eq!(usage(4_194_304, Units::read()), None);
    }
}
