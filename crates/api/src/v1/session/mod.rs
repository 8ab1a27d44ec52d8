//! `/session`

mod change_password;
mod sign_in;
mod sign_out;
mod who;

pub use change_password::*;
pub use sign_in::*;
pub use sign_out::*;
pub use who::*;
