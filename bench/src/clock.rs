//! The time of day in nanoseconds: the one clock that the game, the shim and this program share.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the Unix epoch.
pub fn nanos() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The time between two such instants in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "below 100 days the loss is below a nanosecond")]
pub fn millis_between(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1e6
}
