//! How much a worker may hold before it is replaced: a pure function from what it holds to a reason that people can
//! read. A leak then ends in a clean replacement, announced and recorded, instead of in the kernel's choice of a victim.
//!
//! Not a limit that the kernel enforces: a worker that needs more for a moment gets it.

use std::time::Duration;

use crate::{policy::in_words, process::Usage};

/// What one worker may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ceilings {
    /// Its own memory in bytes: what no file backs, swapped-out pages included; `None` does not watch it.
    pub memory: Option<u64>,
    /// Open descriptors; `None` does not watch them.
    pub files: Option<u64>,
    /// A younger process is left alone: its successor would soon hold as much again, so replacing it would cost much and
    /// heal nothing.
    pub least_age: Duration,
}

impl Ceilings {
    /// The usual age from which on a process may be replaced.
    pub const LEAST_AGE: Duration = Duration::from_secs(60);
}

/// Readings in a row that must be above: one may be a peak.
const READINGS: u32 = 3;

/// The watch over one process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    above: u32,
}

impl Watch {
    /// Takes in a reading of a process of this age; the reason why it must be replaced, if it must.
    pub fn judge(&mut self, ceilings: &Ceilings, usage: &Usage, age: Duration) -> Option<String> {
        let Some(reason) = excess(ceilings, usage) else {
            self.above = 0;
            return None;
        };
        self.above = self.above.saturating_add(1);
        (self.above >= READINGS && age >= ceilings.least_age)
            .then(|| format!("{reason}, {} after its start", in_words(age)))
    }
}

/// What is above its ceiling, as the rest of a sentence that begins with the worker.
fn excess(ceilings: &Ceilings, usage: &Usage) -> Option<String> {
    let mib = |bytes: u64| bytes / (1024 * 1024);
    if let (Some(ceiling), Some(memory)) = (ceilings.memory, usage.memory)
        && memory > ceiling
    {
        return Some(format!("held {} MiB of memory, above its ceiling of {} MiB", mib(memory), mib(ceiling)));
    }
    if let (Some(ceiling), Some(files)) = (ceilings.files, usage.files)
        && files > ceiling
    {
        return Some(format!("held {files} descriptors, above its ceiling of {ceiling}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1024 * 1024;
    const CEILINGS: Ceilings = Ceilings { memory: Some(100 * MIB), files: Some(50), least_age: Ceilings::LEAST_AGE };

    fn old() -> Duration {
        Ceilings::LEAST_AGE + Duration::from_secs(540)
    }

    #[test]
    fn what_stays_above_is_named_with_its_figures() {
        let mut watch = Watch::default();
        let usage = Usage { memory: Some(120 * MIB), files: Some(3) };
        assert_eq!(watch.judge(&CEILINGS, &usage, old()), None);
        assert_eq!(watch.judge(&CEILINGS, &usage, old()), None);
        let reason = watch.judge(&CEILINGS, &usage, old()).unwrap();
        assert_eq!(reason, "held 120 MiB of memory, above its ceiling of 100 MiB, 600 s after its start");
        let usage = Usage { memory: None, files: Some(51) };
        let reason = watch.judge(&CEILINGS, &usage, old()).unwrap();
        assert!(reason.starts_with("held 51 descriptors, above its ceiling of 50"), "{reason}");
    }

    proptest! {
        #[test]
        fn nobody_is_replaced_for_a_peak_or_in_its_first_minute(
            readings in proptest::collection::vec((0_u64..200, 0_u64..100, 0_u64..120), 0..60)
        ) {
            let mut watch = Watch::default();
            let mut row = 0;
            for (memory, files, age) in readings {
                let usage = Usage { memory: Some(memory * MIB), files: Some(files) };
                row = if memory > 100 || files > 50 { row + 1 } else { 0 };
                let judged = watch.judge(&CEILINGS, &usage, Duration::from_secs(age)).is_some();
                prop_assert_eq!(judged, row >= READINGS && age >= 60);
            }
        }

        #[test]
        fn without_a_ceiling_nothing_is_too_much(memory in any::<u64>(), files in any::<u64>(), times in 1..10) {
            let mut watch = Watch::default();
            for _ in 0..times {
                let usage = Usage { memory: Some(memory), files: Some(files) };
                prop_assert_eq!(watch.judge(&Ceilings::default(), &usage, old()), None);
            }
        }
    }
}
