//! The store on an etcd cluster, for operators who outgrow one machine.
//!
//! What is known of etcd's traps is met here: a member that keeps requests without an answer (`members`), answers that
//! are lost after the work was done (`commit`), watches that end with their member (`watch`), and the question of every
//! reader how far the others have come (`newest`).

mod backend;
mod commit;
mod convert;
mod members;
mod message;
mod newest;
mod operate;
mod options;
mod path;
mod sweep;
mod upkeep;
mod verdict;
mod watch;

pub use backend::EtcdBackend;
pub use operate::{EtcdAlarm, EtcdMember, EtcdStatus};
pub use options::{EtcdOptions, EtcdTls};
pub use sweep::Sweep;
pub use upkeep::{UpkeepDone, UpkeepStep, UpkeepView, next_step};
