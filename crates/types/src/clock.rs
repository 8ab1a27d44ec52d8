//! Time, ids and randomness as parameters. The real ones live in the binary, simulated ones in the tests.

use uuid::Uuid;

use crate::Timestamp;

/// Where the time of day comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Where ids and secrets come from.
pub trait IdSource: Send + Sync + 'static {
    /// A fresh `UUIDv7`.
    fn uuid(&self) -> Uuid;

    /// Fills `bytes` from the operating system's generator (or, in a simulation, from a seed).
    fn fill(&self, bytes: &mut [u8]);
}

/// The UUID of all zeros: what names a record of which there is only one.
pub const NIL: Uuid = Uuid::nil();
