//! Network traffic of servers whose control group cannot count it (see [`crate::cgroup::TrafficCounter`]): what the
//! kernel counts on every TCP socket, summed by the user that owns it.
//!
//! One question a second for the whole machine, over `NETLINK_SOCK_DIAG`; the answer names the owner of every socket,
//! so that no process has to be looked at. Two things it cannot see: UDP, for which the kernel counts no bytes, and
//! connections that come and go between two questions. Counted is what applications send and receive, without headers
//! and repetitions.

mod ledger;
mod message;
mod socket;
mod traffic;

pub use ledger::Ledger;
pub use socket::SocketDiagnosis;
pub use traffic::Traffic;
