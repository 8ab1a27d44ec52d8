//! The versioned store: every fact that the control plane must not lose, under keys, with revisions.
//!
//! [`Backend`] is the contract: get, list by prefix, compare-and-swap transactions, leases, and watches that
//! resume from a revision. [`SqliteBackend`] is the default, [`EtcdBackend`] the one for several hosts,
//! [`MemoryBackend`] their twin that fails on demand.
//!
//! [`Repository`] gives typed records on top, [`Cache`] a full copy in memory that outlives an outage, and
//! [`Election`] a leader whose writes are fenced.
//!
//! Only desired state and slow facts belong in it: no console lines, no statistics. What the nodes did is in the
//! [`Journal`], a file of its own with weaker promises.

mod backend;
mod cache;
mod election;
mod error;
mod etcd;
mod journal;
mod key;
mod memory;
mod moving;
mod revision;
mod sqlite;
mod tail;
mod transaction;
mod typed;
mod watch;

pub use backend::{Backend, Continue, Entry, Page, list_all};
pub use cache::{Cache, CacheBuilder, Changed, Freshness, RecordChange, Verb, View};
pub use election::{Election, Holder, Leadership, Lost};
pub use error::StoreError;
pub use etcd::{
    EtcdAlarm, EtcdBackend, EtcdMember, EtcdOptions, EtcdStatus, EtcdTls, Sweep, UpkeepDone, UpkeepStep, UpkeepView,
    next_step,
};
pub use journal::{Delivered, Journal, JournalLimits, Position};
pub use key::{Key, Prefix};
pub use memory::{Fault, MemoryBackend};
pub use moving::{Housed, Move, MoveError, MoveStep, go_on, move_all, moved};
pub use revision::{LeaseId, Revision};
pub use sqlite::{BootClock, HostClock, SqliteBackend, SqliteOptions};
pub use transaction::{CommitError, Committed, Compare, Conflict, Expected, Operation, Transaction, limits};
pub use typed::{Listing, Record, Repository, Stored, Unreadable, UpgradeError};
pub use watch::{Change, Watch, WatchBatch};
