//! Records instead of bytes: typed, versioned JSON under `/kind/id`.

mod envelope;
mod record;
mod repository;
mod transaction;

pub(crate) use envelope::decode;
pub(crate) use record::prefix_of;
pub use record::{Record, Stored, Unreadable, UpgradeError};
pub use repository::{Listing, Repository};
