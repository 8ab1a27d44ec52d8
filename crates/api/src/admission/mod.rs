//! Load shedding: beyond what can be answered in time, requests are refused at the door with 503 and `Retry-After`.
//!
//! What "in time" means is measured, not configured: how late this process's own event loop is (`Valve`; the idea is
//! `CoDel`'s: a queue is bad when even the shortest wait within a while was long), and the same for writes, which may
//! wait for the disk. Refused is what is cheap to do without first (`Rank`), before anybody's credentials or body are
//! looked at. Streams and consoles that are open pass no door, so they are never shed. So many requests a second are
//! always let in: below that it is not the requests that make the machine slow, and refusing them would help nobody.

mod door;
mod rank;
mod valve;

pub use door::Admission;
pub use rank::Rank;
