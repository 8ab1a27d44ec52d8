//! Where every decision of a simulation comes from: one seed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use nodepanel_types::{
    Timestamp,
    clock::{Clock, IdSource},
};
use tokio::time::Instant;
use uuid::Uuid;

/// A generator (`SplitMix64`) that everybody in a simulation shares.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<u64>>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True once in `times`.
    pub fn once_in(&self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn of<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Between the two, in milliseconds.
    pub fn millis(&self, from: usize, to: usize) -> Duration {
        Duration::from_millis(u64::try_from(from + self.below(to - from)).unwrap())
    }

    /// Lets some time pass.
    pub async fn pause(&self, from: usize, to: usize) {
        tokio::time::sleep(self.millis(from, to)).await;
    }
}

impl IdSource for Chance {
    fn uuid(&self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = u8::try_from(self.next() >> 56).unwrap();
        }
    }
}

/// A clock that goes with simulated time, and is wrong until it is set, and then wrong in another way.
pub struct SkewedClock {
    begun: Instant,
    skew_ms: AtomicI64,
}

impl SkewedClock {
    pub fn new(begun: Instant, skew_ms: i64) -> Arc<Self> {
        Arc::new(Self { begun, skew_ms: AtomicI64::new(skew_ms) })
    }

    /// Sets it forward, or back.
    pub fn set(&self, by_ms: i64) {
        self.skew_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.begun.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(1_800_000_000_000 + passed + self.skew_ms.load(Ordering::Relaxed))
    }
}
