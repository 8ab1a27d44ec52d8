//! Tries that count against a limit: those that all API servers have told each other, and those that this one has not
//! told yet.

use nodepanel_types::Timestamp;

use crate::debt::{Debt, Rate};

/// What counts against one network or account.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    /// All of it.
    pub debt: Debt,
    /// What was told by all, as it was last heard.
    told: Option<Timestamp>,
    /// Tries of this API server that are not in it.
    pub untold: u32,
}

impl Tally {
    /// What was told so far.
    pub fn heard(told: Option<Timestamp>, now: Timestamp) -> Self {
        Self { debt: Debt(told.unwrap_or(now)), told, untold: 0 }
    }

    /// Takes over what was told meanwhile, and adds what was not told from here.
    pub fn hear(&mut self, told: Option<Timestamp>, now: Timestamp, rate: Rate) {
        if told.is_some() && told != self.told {
            let mut debt = Self::heard(told, now).debt;
            for _ in 0..self.untold {
                debt.add(now, rate);
            }
            (self.debt, self.told) = (debt, told);
        }
    }

    /// `tries` of this API server's are in what was told now.
    pub fn told(&mut self, tries: u32, told: Timestamp, now: Timestamp, rate: Rate) {
        self.untold = self.untold.saturating_sub(tries);
        self.hear(Some(told), now, rate);
    }

    /// Counts one.
    pub fn add(&mut self, now: Timestamp, rate: Rate) {
        if self.debt.0 <= now {
            self.untold = 0;
        }
        self.debt.add(now, rate);
        self.untold += 1;
    }

    /// Takes one back. One that was told stays told, and is forgiven like the others.
    pub fn take_back(&mut self, now: Timestamp, rate: Rate) {
        if self.untold > 0 {
            self.untold -= 1;
        }
        self.debt.take_back(now, rate);
    }

    /// Whether the others should hear of it: from half of the limit on. Below it, all of two API servers together allow
    /// no more than one limit.
    pub fn is_news(&self, now: Timestamp, rate: Rate) -> bool {
        self.untold > 0 && self.debt.owed(now, rate) * 2 >= rate.burst * rate.refill_ms
    }
}
