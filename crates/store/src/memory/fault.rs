//! Faults on demand: what a test can make the memory backend do wrong.

use std::{collections::VecDeque, time::Duration};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Any request: refused, nothing written. Open watches end with the same error.
    Unavailable,
    /// Any request: answered after this long.
    Slow(Duration),
    /// A commit: refused because of its first compare, whatever is stored. Without effect on other requests.
    Conflict,
    /// A write: made, but its answer is lost. Without effect on reads.
    LoseAnswer,
    /// A write: refused because the disk is full. Without effect on reads.
    DiskFull,
}

/// What will go wrong: single faults first, in their order, then the lasting one.
#[derive(Debug, Default)]
pub(super) struct Faults {
    next: VecDeque<Fault>,
    lasting: Option<Fault>,
}

impl Faults {
    pub(super) fn push(&mut self, fault: Fault, times: usize) {
        self.next.extend(std::iter::repeat_n(fault, times));
    }

    pub(super) fn set_lasting(&mut self, fault: Option<Fault>) {
        self.lasting = fault;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The fault of the next request for which `applies` holds; faults for other requests stay in line.
    pub(super) fn take(&mut self, applies: impl Fn(Fault) -> bool) -> Option<Fault> {
        match self.next.front() {
            Some(fault) if applies(*fault) => self.next.pop_front(),
            _ => self.lasting.filter(|fault| applies(*fault)),
        }
    }

    /// Whether the store is out for good, which also ends watches.
    pub(super) fn is_out(&self) -> bool {
        self.lasting == Some(Fault::Unavailable)
    }
}
