//! Limits what refusals of keyed writes may add to the store: each is kept for a day, and whoever may change nothing
//! could still ask for refusals without end.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use nodepanel_types::Timestamp;

use crate::{
    ControlError,
    debt::{Debt, Rate},
};

/// Refusals of one caller that are kept: a thousand at once, and one more every 2 s. At half a KiB each that is 25 MiB a
/// day.
const KEPT: Rate = Rate { burst: 1_000, refill_ms: 2_000 };
/// Callers that are remembered before those who owe nothing are forgotten.
const REMEMBERED: usize = 1_000;

/// Counts the refusals that were kept, by caller. A caller is a user, so there are not many.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<String, Debt>>);

impl Refusals {
    /// Counts one. Too many are not told, because what is told as a refusal has to be kept.
    pub fn count(&self, caller: &str, now: Timestamp) -> Result<(), ControlError> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= REMEMBERED {
            callers.retain(|_, debt| debt.0 > now);
        }
        let debt = callers.entry(caller.to_owned()).or_insert(Debt(now));
        if let Some(retry_after) = debt.wait(now, KEPT) {
            let what = "Too many of your requests had to be refused. Nothing was changed.";
            return Err(ControlError::TooMany { what, retry_after });
        }
        debt.add(now, KEPT);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_fills_no_store_and_concerns_nobody_else() {
        let (refusals, now) = (Refusals::default(), Timestamp::from_millis(1_000_000));
        let kept = (0..5_000).filter(|_| refusals.count("one", now).is_ok()).count();
        assert_eq!(u64::try_from(kept).unwrap(), KEPT.burst);
        refusals.count("other", now).unwrap();
        let later = now.plus(KEPT.refill_ms);
        assert!(refusals.count("one", later).is_ok() && refusals.count("one", later).is_err());
    }
}
