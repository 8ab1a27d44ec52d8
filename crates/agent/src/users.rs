//! Which user ids the servers of this agent get.

use std::ops::Range;

use nodepanel_types::clock::IdSource;

/// Ids that no system has a use for: above those of systemd's containers and below those that some programs take for
/// negative numbers (<https://systemd.io/UIDS-GIDS/>).
const WIDE: Range<u32> = 0x7000_0000..0x7fff_0000;
/// What is left in a container whose own users are the first 65,536: above the system's, below those of systemd.
const NARROW: Range<u32> = 20_480..61_440;
/// Ids of one agent; it gives each once, so that a server never finds the files of one that was removed.
const EACH: u32 = 4_096;

/// The first id of a new agent. Several may share a machine (another data directory, an installation that is tried out):
/// each begins elsewhere, so that no server of one can touch those of another. `map` is `/proc/self/uid_map`.
pub fn first(ids: &dyn IdSource, map: &str) -> u32 {
    let range = if is_mapped(&WIDE, map) { WIDE } else { NARROW };
    let mut bytes = [0; 4];
    ids.fill(&mut bytes);
    let places = (range.end - range.start) / EACH;
    range.start + u32::from_ne_bytes(bytes) % places * EACH
}

/// Whether a server may have this user: not the system's, nor a person's of the usual kind.
pub const fn may_be_a_servers(uid: u32) -> bool {
    uid >= NARROW.start
}

/// Whether this machine or container has all these ids. A map that cannot be read is that of a machine.
fn is_mapped(range: &Range<u32>, map: &str) -> bool {
    let mut lines = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (inside, _outside, count) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(inside..inside.saturating_add(count))
    });
    map.trim().is_empty() || lines.any(|held| held.start <= u64::from(range.start) && u64::from(range.end) <= held.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed([u8; 4]);

    impl IdSource for Fixed {
        fn uuid(&self) -> uuid::Uuid {
            uuid::Uuid::nil()
        }

        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0);
        }
    }

    const MACHINE: &str = "         0          0 4294967295\n";
    const CONTAINER: &str = "         0     100000      65536\n";

    #[test]
    fn every_agent_stays_in_the_range_and_begins_elsewhere() {
        for (map, range) in [(MACHINE, WIDE), ("", WIDE), (CONTAINER, NARROW)] {
            let firsts = [[0, 0, 0, 0], [1, 0, 0, 0], [255, 255, 255, 255]].map(|bytes| first(&Fixed(bytes), map));
            for first in firsts {
                assert!(range.contains(&first) && range.contains(&(first + EACH - 1)), "{map}: {first}");
            }
            assert_ne!(firsts[0], firsts[1]);
        }
    }
}
