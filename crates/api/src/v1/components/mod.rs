//! `/components` and `/overview`

mod list;
mod overview;

pub use list::*;
pub use overview::*;
