//! A full copy of the store in memory, by list and watch. Reads never touch the store, so they go on while it is
//! down; what is served then is the last known state, and says how old it is.
//!
//! ```text
//!            list (all tables)            watch from there
//!  loading ───────────────────▶ current ◀─────────────────▶ stale (outage: serves on, retries, resumes)
//!                                  ▲                            │
//!                                  └───── list again ◀──────────┘ history was compacted meanwhile
//! ```

mod builder;
mod change;
mod copy;
mod feed;
mod freshness;
mod table;
mod view;

pub use builder::CacheBuilder;
pub use change::{Changed, RecordChange, Verb};
pub use copy::Cache;
pub use freshness::Freshness;
pub use view::View;
