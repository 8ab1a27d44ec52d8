//! The installation's master key and what is made from it.

mod derived;
mod master;
mod sealed;

pub use derived::{HostToken, local_enrolment_secret, setup_token};
pub use master::{MasterKey, MasterKeyError};
pub use sealed::Sealed;
